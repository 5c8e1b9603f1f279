"""Any document of any declared type says the same after JSON and after XML; random input is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.cimi import xml_codec
from gateway.cimi.coded import Base64, Key, Sha256
from gateway.cimi.dialects import CIMI_1
from gateway.cimi.documents import read_action, read_create, read_edit, write_resource
from gateway.cimi.edge import Edge
from gateway.cimi.fields import (
    URI,
    Anything,
    Attribute,
    Boolean,
    DateTime,
    Enumeration,
    Integer,
    IntervalDuration,
    Map,
    String,
    Term,
    Verb,
)
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue, Structure, TypeRef, inward, load
from gateway.cimi.registry import TYPES
from gateway.errors import GatewayError
from tests.unit.cimi.samples import EDGE_ATTRIBUTES

pytestmark = pytest.mark.slow

EDGE = Edge("http://host/cimi/", CIMI_1)
# XML white space at the ends of text means nothing, and so it is taken off on reading.
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), min_size=1, max_size=30
).filter(lambda text: text == text.strip())
PATHS = st.from_regex(r"(machines|networks|jobs)/[a-z0-9]{1,12}", fullmatch=True)


def values(field: Attribute) -> st.SearchStrategy[Any]:
    """Legal values of a declared attribute, by its type."""
    simple: tuple[tuple[type[Attribute], st.SearchStrategy[Any]], ...] = (
        (Enumeration, st.sampled_from(getattr(field, "values", ("",)))),
        (Key, st.from_regex(r"ssh-ed25519 [A-Za-z0-9+/]{4,40} [a-z@]{1,9}", fullmatch=True)),
        (Base64, st.just("aGVsbG8=")),
        (Verb, st.sampled_from(["add", "edit", "delete"])),
        (Term, st.sampled_from(["state", "Machine", "http://example.org/audit/1.0/event"])),
        (IntervalDuration, st.sampled_from(["PT1H", "P7D", "P1Y"])),
        (URI, st.just("http://example.org/a")),
        (Sha256, st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        (String, TEXT),
        (Integer, st.integers(max(1, getattr(field, "minimum", 1)), 2**63 - 1)),
        (Boolean, st.booleans()),
        (DateTime, st.just("2026-01-02T03:04:05.678Z")),
        (Anything, TEXT),
        (Map, st.dictionaries(TEXT, TEXT, min_size=1, max_size=3)),
        (TypeRef, st.sampled_from([{"href": "Machine"}, {"href": "http://example.org/Thing"}])),
        (Ref, PATHS.map(lambda path: {"href": path})),
    )
    if isinstance(field, Array):
        return st.lists(values(field.entry), min_size=1, max_size=3)
    if isinstance(field, RefOrValue):
        return PATHS.map(lambda path: {"href": path}) | inner(field, inputs=True)
    if isinstance(field, Structure):
        return inner(field, inputs=False)
    return next(strategy for kind, strategy in simple if isinstance(field, kind))


def inner(field: Structure, *, inputs: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Put together when it is drawn: a SystemTemplate may stand inside itself."""

    def known(_drawn: None) -> st.SearchStrategy[dict[str, Any]]:
        every = field.members.items()
        return members({name: member for name, member in every if not inputs or member.writable or member.at_create})

    return st.none().flatmap(known)


def members(declared: Mapping[str, Attribute]) -> st.SearchStrategy[dict[str, Any]]:
    shown = {
        name: values(field)
        for name, field in declared.items()
        if not field.write_only and not isinstance(field, CollectionRef)
    }
    return st.fixed_dictionaries({}, optional=shown).filter(bool)


def documents(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    own = {name: field for name, field in TYPES[kind].attributes.items() if name not in EDGE_ATTRIBUTES}
    return members(own)


def wire(kind: str, document: dict[str, Any]) -> dict[str, Any]:
    return EDGE.resource(TYPES[kind], f"{TYPES[kind].segment}/1", document, None, ())


def read_back(kind: str, raw: dict[str, Any]) -> dict[str, Any]:
    described = TYPES[kind]
    known = {name: raw[name] for name in raw if name in described.attributes and name not in described.collections}
    return inward(described.attributes, load(described.schema, described.attributes, known), EDGE.to_path)


QUICK = settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", sorted(TYPES))
@QUICK
@given(data=st.data())
def test_a_document_says_the_same_after_json(kind: str, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    raw = json.loads(write_resource(TYPES[kind], wire(kind, document), "json", EDGE))
    assert read_back(kind, raw) == document


@pytest.mark.parametrize("kind", sorted(TYPES))
@QUICK
@given(data=st.data())
def test_a_document_says_the_same_after_xml(kind: str, data: st.DataObject) -> None:
    document = data.draw(documents(kind))
    shown = wire(kind, document)
    for name in TYPES[kind].collections:
        shown.pop(name, None)
    _, content = xml_codec.decode(write_resource(TYPES[kind], shown, "xml", EDGE))
    content.pop("id", None)
    said = {name: value for name, value in document.items() if TYPES[kind].attributes[name].in_xml}
    assert read_back(kind, xml_codec.raw(TYPES[kind].attributes, content)) == said


@pytest.mark.parametrize("media", ["json", "xml"])
@QUICK
@given(body=st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_random_bytes_are_refused_as_bad_requests_and_nothing_else(media: str, body: bytes) -> None:
    for kind in TYPES:
        for read in (read_create, read_edit):
            try:
                read(kind, body, media, EDGE, None) if read is read_edit else read_create(kind, body, media, EDGE)
            except GatewayError as error:
                assert error.status == 400
    with suppress(GatewayError):
        read_action(body, media, EDGE)
