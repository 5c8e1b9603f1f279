"""Random documents, names, filters and headers over HTTP: never a 5xx, never half an effect, always a clear answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, quote_from_bytes
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cimi.coded import Base64, Key
from gateway.cimi.fields import Attribute, Enumeration, Integer, Map, String
from gateway.cimi.references import Array, Ref, RefOrValue, Structure, schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from tests.api.client import Answer, ApiClient
from tests.api.namespaces import NAMESPACE

pytestmark = pytest.mark.slow

SOME = settings(
    max_examples=25,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ADDABLE = sorted(kind for kind, declared in TYPES.items() if declared.addable and declared.parent is None)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.just("\0\x7f\ufffe")
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
HREFS = st.sampled_from(["", "machines", "machines/none", "machineConfigs/none", "..", "http://[", "http://x/y", "/"])


def members(fields: Mapping[str, Attribute]) -> st.SearchStrategy[Any]:
    """A structure of these attributes, most of them with a value of their kind."""
    known = {name: rarely(ANYTHING, typed(field)) for name, field in fields.items()}
    always = {name: known.pop(name) for name in ("cpu", "memory", "key", "machineTemplate") if name in known}
    return rarely(
        st.fixed_dictionaries(always, optional={**known, "href": HREFS, "colour": SCALARS}),
        st.fixed_dictionaries(always, optional=known),
    )


def rarely(strange: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 15).flatmap(lambda number: usual if number else strange)


def typed(field: Attribute) -> st.SearchStrategy[Any]:
    if isinstance(field, Array):
        return st.lists(typed(field.entry), max_size=3)
    if isinstance(field, Structure | RefOrValue):
        # Put together when it is drawn: a SystemTemplate may stand inside itself.
        return st.none().flatmap(lambda _drawn: members(field.members))
    simple: tuple[tuple[type[Attribute], st.SearchStrategy[Any]], ...] = (
        (Enumeration, st.sampled_from(getattr(field, "values", ("",)))),
        (Base64, st.just("aGVsbG8=")),
        (Key, st.just("ssh-ed25519 AAAA me@here")),
        (String, TEXT),
        (Integer, st.integers(1, 1500)),
        (Map, st.dictionaries(TEXT, TEXT, max_size=3)),
        (Ref, st.fixed_dictionaries({"href": HREFS})),
    )
    return next((strategy for kind, strategy in simple if isinstance(field, kind)), ANYTHING)


def documents(kind: str) -> st.SearchStrategy[Any]:
    return rarely(ANYTHING, members(schema_fields(CREATE_SCHEMAS.get(kind, TYPES[kind].schema))))


def as_xml(name: str, value: Any) -> str:
    """The same nonsense as XML: members as children, lists as repetitions, href and key as XML attributes."""
    if isinstance(value, list):
        return "".join(as_xml(name, entry) for entry in value)
    if not isinstance(value, dict):
        return f"<{name}/>" if value is None else f"<{name}>{escape(str(value))}</{name}>"
    flat = {key: str(value[key]) for key in ("href", "key", "initialLocation") if isinstance(value.get(key), str)}
    attributes = "".join(f" {key}={quoteattr(text)}" for key, text in flat.items())
    inner = "".join(as_xml(key if key.isidentifier() else "odd", entry) for key, entry in value.items())
    return f"<{name}{attributes}>{inner}</{name}>"


def sensible(answer: Answer) -> None:
    """No 5xx but 501; an error is a Job in the format that was asked for, and says why."""
    assert answer.status < 500 or answer.status == 501, answer.text
    if answer.status < 400:
        return
    if answer.headers["content-type"].startswith("application/xml"):
        root = ElementTree.fromstring(answer.text)
        assert root.tag == f"{NAMESPACE}Job"
        assert root.findtext(f"{NAMESPACE}statusMessage")
    else:
        assert answer.message


@pytest.mark.parametrize("kind", ADDABLE)
@SOME
@given(data=st.data())
async def test_random_creates(client: Callable[..., ApiClient], kind: str, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    segment = TYPES[kind].segment
    before = (await client().document(segment))["count"]
    answers = [
        await client().post(segment, json.dumps(document).encode()),
        await client("admin", "xml").post(segment, as_xml(f"{kind}Create", document).encode("utf-8", "replace")),
    ]
    for answer in answers:
        sensible(answer)
    made = [answer for answer in answers if answer.status == 201]
    assert (await client().document(segment))["count"] == before + len(made)
    for answer in made if TYPES[kind].editable else ():
        await sent_back_as_xml_it_stays_the_same(client, answer.location)


async def sent_back_as_xml_it_stays_the_same(client: Callable[..., ApiClient], url: str) -> None:
    xml = client("admin", "xml")
    before = await client().document(url)
    back = await xml.put(url, (await xml.get(url)).text.encode())
    assert back.status == 200, back.text
    after = await client().document(url)
    assert trimmed({**after, "updated": 0}) == trimmed({**before, "updated": 0})


def trimmed(value: Any) -> Any:
    """White space at the ends of text means nothing in XML, nor does what is empty or says nothing."""
    if isinstance(value, dict):
        known = {name: trimmed(entry) for name, entry in value.items()}
        return {name: entry for name, entry in known.items() if entry not in ("", {}, [])}
    if isinstance(value, list):
        return [entry for entry in map(trimmed, value) if entry != {}]
    return value.strip() if isinstance(value, str) else value


@SOME
@given(name=st.text(max_size=60), description=st.text(max_size=60), properties=st.dictionaries(st.text(), st.text()))
async def test_names_are_kept_as_they_are_or_refused_by_name(
    client: Callable[..., ApiClient], name: str, description: str, properties: dict[str, str]
) -> None:
    document = {"name": name, "description": description, "properties": properties, "cpu": 1, "memory": 1}
    made = await client().post("machineConfigs", document)
    if made.status == 400:
        assert made.message.startswith(("name", "description", "properties"))
        assert "control character" in made.message or "empty name" in made.message
        return
    assert made.status == 201, made.text
    shown = {key: made.json.get(key) for key in ("name", "description", "properties")}
    assert shown == {"name": name or None, "description": description or None, "properties": properties or None}
    await sent_back_as_xml_it_stays_the_same(client, made.location)


@pytest.fixture
async def urls(admin: ApiClient, machine: str) -> dict[str, str]:
    template = await admin.post("machineTemplates", {"name": "t"})
    credential = await admin.post("credentials", {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}})
    made = {"MachineTemplate": template.location, "Credential": credential.location}
    return {"Machine": machine, "CloudEntryPoint": "", **made}


@pytest.mark.parametrize("kind", ["Machine", "MachineTemplate", "Credential", "CloudEntryPoint"])
@SOME
@given(data=st.data())
async def test_random_updates(
    client: Callable[..., ApiClient], urls: dict[str, str], kind: str, data: st.DataObject
) -> None:
    fields = TYPES[kind].attributes
    document = data.draw(rarely(ANYTHING, members(fields)))
    selected = data.draw(st.none() | st.lists(st.sampled_from([*fields, "colour", "*"]), max_size=3))
    query = "" if selected is None else "?$select=" + ",".join(selected)
    url = urls[kind]
    sensible(await client().put(url + query, json.dumps(document).encode()))
    sensible(await client("admin", "xml").put(url + query, as_xml(kind, document).encode("utf-8", "replace")))
    for media in ("json", "xml"):
        assert (await client("admin", media).get(f"{url}?$expand")).status == 200
    assert (await client().document(urls["Machine"]))["state"] == "STARTED"


@SOME
@given(document=ANYTHING, verb=st.sampled_from(["stop", "start", "console", "nothing"]))
async def test_random_actions_on_a_machine_that_is_not_there(admin: ApiClient, document: Any, verb: str) -> None:
    answer = await admin.post(f"machines/none/{verb}", json.dumps(document).encode())
    assert answer.status in (400, 404)


WORDS = st.sampled_from(
    ["name", "state", "cpu", "created", "id", "property", "[", "]", "(", ")", "=", "!=", "<", ">=", "and", "or", "'x'",
     '"y"', "3", "99999999999999999999", "true", "2012-01-01", "2012-01-02T13:14:25+02:30", "'\\'", "\x00", "é", "'🜁'"]
)  # fmt: skip
FILTERS = st.lists(WORDS, max_size=9).map(" ".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NAMES = st.sampled_from(["$filter", "$orderby", "$select", "$expand", "$first", "$last", "$format", "x"])


@SOME
@given(text=FILTERS, name=NAMES)
async def test_random_queries(client: Callable[..., ApiClient], machine: str, text: str, name: str) -> None:
    for media in ("json", "xml"):
        for url in ("machines", machine, f"{machine}/disks", "jobs", "resourceMetadata", ""):
            answer = await client("admin", media).get(f"{url}?{quote(name)}={quote(text)}")
            sensible(answer)
            assert answer.status in (200, 400, 406)


BEGINNINGS = st.sampled_from(["", "machines/", "jobs/", "machines?$filter=", "?%24select="])


@SOME
@given(raw=st.binary(max_size=30), first=BEGINNINGS)
async def test_random_bytes_in_urls(client: Callable[..., ApiClient], raw: bytes, first: str) -> None:
    sensible(await client("admin", "xml").get(first + quote_from_bytes(raw, safe="/?&=$")))


HEADERS = st.sampled_from(
    ["Accept", "Content-Type", "CIMI-Specification-Version", "Prefer", "If-Match", "If-None-Match", "Idempotency-Key",
     "X-Request-ID", "Authorization", "X-Forwarded-Host", "Forwarded"]
)  # fmt: skip


LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40)


@SOME
@given(name=HEADERS, value=LATIN)
async def test_random_headers(admin: ApiClient, name: str, value: str) -> None:
    for answer in (
        await admin.request("GET", "machines", None, **{name: value}),
        await admin.request("PUT", "", {"name": "cimi-gateway"}, **{name: value}),
    ):
        sensible(answer)
