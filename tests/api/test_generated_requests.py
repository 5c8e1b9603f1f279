"""Thousands of requests made of the description, in both formats and all roles: never a 5xx, always a clear answer."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from yarl import URL

from demo.basic_auth import basic_auth
from gateway.cimi.dialects import CIMI_1, EXTENSION_NAMESPACE
from gateway.cimi.registry import TYPES
from gateway.cimi.system import PACKAGE
from gateway.config import Settings
from gateway.http.description import described
from gateway.orchestration.monitoring.aspects import MEASURED
from tests.api.client import ACTION, ApiClient
from tests.api.generated_requests import JSON, XML, Aim, Operation, Sent, drawn, operations
from tests.api.namespaces import NAMESPACE
from tests.api.packages import small_package
from tests.api.routes import ROUTES, Route
from tests.api.world import DOCUMENTS, World
from tests.patience import PATIENCE

pytestmark = pytest.mark.slow

USERS = ("", "viewer", "operator", "admin")
BEFORE = {"start": "stop", "pause": "start", "suspend": "start"}
"""What must have been done for an action to be legal."""
TURNED = ("", "viewer", "admin", "operator")
"""What one of the two takes away, the other does not find."""
RIGHT, WRONG, MUTATED = 4, 2, 4
COMMON = {"name": "n", "description": "d", "properties": {"k": "v"}}
CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Nothing is fetched from anywhere, and nobody waits long for a job."""
    object.__setattr__(settings.images, "url_schemes", [])
    object.__setattr__(settings.jobs, "answer_wait", 0.5)
    return settings


@dataclass
class Tally:
    """What was sent, and what was wrong with the answers."""

    users: Counter[str] = field(default_factory=Counter)
    bodies: Counter[str] = field(default_factory=Counter)
    """By media type, of the requests that had one."""
    answers: Counter[str] = field(default_factory=Counter)
    """By media type."""
    good: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By operation and user: answers below 400."""
    wrong: list[str] = field(default_factory=list)

    def add(self, operation: str, user: str, sent: Sent, answer: Got) -> None:
        self.users[user] += 1
        self.bodies.update([sent.media] if sent.media else [])
        self.answers[answer.media] += 1
        self.good[operation, user] += answer.status < 400
        trouble = broken(answer) or undescribed(sent, answer)
        if trouble:
            request = f"{operation} by {user or 'nobody'}, {sent.url[:300]} {sent.media} {sent.body[:300]!r}"
            self.wrong.append(f"{request}: {answer.status}, {trouble}, {answer.body[:400]!r}")

    def never_good(self) -> set[str]:
        operations = {operation for operation, _ in self.good}
        return {each for each in operations if not any(self.good[each, user] for user in USERS)}


@dataclass(frozen=True)
class Got:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]


async def asked(client: ApiClient, sent: Sent, accept: str) -> Got:
    """The answer; of a stream the head alone is read."""
    headers = {"Accept": accept, **sent.headers, **({"Content-Type": sent.media} if sent.media else {})}
    if client.user:
        headers["Authorization"] = basic_auth(client.user, client.password)
    async with client.session.request(
        sent.case.method,
        URL(sent.url, encoded=True),
        data=io.BytesIO(sent.body) if sent.media else None,
        headers=headers,
        allow_redirects=False,
    ) as answer:
        live = answer.headers.get("Content-Type", "").startswith("text/event-stream")
        known = {name.lower(): value for name, value in answer.headers.items()}
        return Got(answer.status, known, b"" if live else await answer.read())


def broken(answer: Got) -> str | None:
    """What is wrong with an answer, in words."""
    if answer.status >= 500:
        return "a failure of the gateway"
    if answer.media not in (JSON, XML):
        return None if answer.status < 400 else "an error without a document"
    kind, told = job_of(answer)
    if answer.status < 400:
        return None
    right = kind == "Job" and told[:3] == ["", "FAILED", str(10000 + answer.status)] and told[3]
    return None if right else f"an error document that is a {kind} and says {told}"


def job_of(answer: Got) -> tuple[str, list[str]]:
    """The type of a document and what it says of id, state, returnCode and statusMessage. Raises when it is none."""
    names = ("id", "state", "returnCode", "statusMessage")
    if answer.media == XML:
        root = ElementTree.fromstring(answer.body)
        assert root.tag.startswith((NAMESPACE, f"{{{EXTENSION_NAMESPACE}}}"))
        return root.tag.removeprefix(NAMESPACE), [root.findtext(NAMESPACE + name, "") for name in names]
    document = json.loads(answer.body) if answer.body else {}
    return document.get("resourceURI", "").rpartition("/")[2], [str(document.get(name, "")) for name in names]


def undescribed(sent: Sent, answer: Got) -> str | None:
    """What the description does not say of this answer."""
    headers = {name: [value] for name, value in answer.headers.items()}
    request = requests.Request(sent.case.method, sent.url).prepare()
    response = Response(answer.status, headers, answer.body, request, 0.0, False)
    try:
        sent.case.validate_response(response, checks=CONFORMANCE)
    except FailureGroup as failures:
        return "; ".join(str(failure)[:400] for failure in failures.exceptions)
    return None


async def attempts(route: Route, method: str, operation: Operation, world: World) -> list[Sent]:
    """Generated requests, right and wrong; and documents that are known to be right, as they are and mutated."""
    await made_ready(route, method, world)
    aim = Aim(route, method, world.owner.base.removesuffix("/cimi/"), world.paths)
    cases = [*drawn(operation, GenerationMode.POSITIVE, RIGHT), *drawn(operation, GenerationMode.NEGATIVE, WRONG)]
    found = [aim.generated(case) for case in cases]
    if method not in ("POST", "PUT") or route.action == "upload":
        return found
    if route.acting is not None:
        found.append(aim.sent(cases[0], small_package(), PACKAGE))
    for media in (JSON, XML):
        document = await right_document(route, method, world)
        mutated = [aim.mutated(document) for _ in range(MUTATED)]
        found += [aim.written(cases[0], each, media) for each in (document, *mutated)]
    return found


async def made_ready(route: Route, method: str, world: World) -> None:
    """The resource that the route names is there, and such that it can be asked for what it is asked for."""
    kind = route.named
    if kind is None:
        return
    if route.action == "upload":
        await world.waiting(kind)
        return
    if route.action == "package":
        await world.exported()
        return
    world.driver.state.deaf = False
    path = await world.ensure(kind)
    if method == "DELETE" and TYPES[kind].addable:
        world.paths[kind] = await world.make(kind)
    if route.action == "restore":
        world.paths[kind] = await world.make(kind)
    if kind == "Job" and method == "POST":
        world.paths[kind] = await world.running_job()
    verb = route.action or next(iter(route.acts), "")
    if verb in BEFORE and verb not in await offered(world, path, verb, BEFORE[verb]):
        await world.owner.acted(path, BEFORE[verb], **({"force": True} if verb == "start" else {}))


async def offered(world: World, path: str, *verbs: str) -> set[str]:
    """Which of these can be done with the resource, once the jobs of earlier requests have let go of it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            shown = await world.owner.document(path)
            found = {entry["rel"].removeprefix(ACTION) for entry in shown.get("operations", [])} & {*verbs}
            if found:
                return found
            await asyncio.sleep(0.02)


async def right_document(route: Route, method: str, world: World) -> dict[str, Any]:
    if method == "PUT":
        server = world.owner.base.removesuffix("/cimi/")
        shown = await world.owner.document(server + route.filled(world.paths.get(route.named or "")))
        return {**shown, **COMMON}
    if route.collection is None:
        return await right_action(route, world)
    kind = route.collection.kind
    if kind not in DOCUMENTS:
        return {}
    if kind in ("User", "Project"):
        # Their names stand once: a user's own project has the user's name.
        return {**COMMON, **await world.document(kind)}
    if route.named is not None and route.collection.parent is None:
        aspect = MEASURED[route.named][0].term
        return {**COMMON, "meterTemplate": {"meterConfig": {"aspect": aspect, "sampleInterval": 10}}}
    common = COMMON if "properties" in TYPES[kind].attributes else {}
    document = {**await world.document(kind), **common}
    return document if common else {name: value for name, value in document.items() if name != "name"}


async def right_action(route: Route, world: World) -> dict[str, Any]:
    verb = route.action or (route.acts or [""])[0]
    action = TYPES[route.named].action(verb) if route.named else None
    if route.acting is not None:
        action = route.acting.collection_action(verb)
    inputs: dict[str, Any] = {"force": True, "image": await world.href("MachineImage"), "source": world.package()}
    asked = action.parameters if action is not None else ()
    return {"action": ACTION + verb, **{name: inputs[name] for name in asked if name in inputs}}


def in_order() -> list[tuple[Route, str]]:
    """What takes something away comes last."""
    known = [(route, method) for route in ROUTES for method in sorted(route.methods - {"HEAD"})]
    return sorted(known, key=lambda request: request[1] == "DELETE")


async def test_no_request_breaks_the_gateway(world: World, client: Callable[..., ApiClient]) -> None:
    await world.everything()
    known = operations(described(CIMI_1), world.owner.base.removesuffix("/cimi/"))
    tally = Tally()
    for route, method in in_order():
        for number, sent in enumerate(await attempts(route, method, known[method, route.path], world)):
            for place, user in enumerate(USERS if number % 2 else TURNED):
                answer = await asked(client(user), sent, (JSON, XML)[(number + place) % 2])
                tally.add(f"{method} {route.path}", user, sent, answer)
    assert tally.wrong == []
    assert tally.never_good() == set()
    assert {operation for operation, _ in tally.good} == {f"{method} {path}" for method, path in known}
    assert sum(tally.users.values()) >= 8000
    assert all(tally.users[user] >= 2000 for user in USERS)
    assert all(tally.bodies[media] >= 2000 and tally.answers[media] >= 3000 for media in (JSON, XML))
    far = Counter({user: sum(n for (_, who), n in tally.good.items() if who == user) for user in USERS})
    assert min(far["admin"], far["operator"]) >= 800


def got(status: int, body: str, media: str = JSON) -> Got:
    return Got(status, {"content-type": media}, body.encode())


@pytest.mark.parametrize(
    "answer",
    [
        got(500, '{"resourceURI": "x/Job", "id": "", "state": "FAILED", "returnCode": 10500, "statusMessage": "m"}'),
        got(404, "404: Not Found", "text/plain"),
        got(404, '{"resourceURI": "x/Job", "id": "", "state": "FAILED", "returnCode": 10404}'),
        got(404, '{"resourceURI": "x/Job", "id": "", "state": "FAILED", "returnCode": 10400, "statusMessage": "m"}'),
        got(404, f'<Job xmlns="{NAMESPACE[1:-1]}"><id/><state>FAILED</state></Job>', XML),
    ],
)
def test_a_broken_answer_would_be_found(answer: Got) -> None:
    assert broken(answer)


@pytest.mark.parametrize(
    "answer",
    [
        got(418, "{}"),
        got(200, "{}", "text/html"),
        got(200, '{"resourceURI": "http://schemas.dmtf.org/cimi/1/Machine"}'),
        got(200, '{"resourceURI": "http://schemas.dmtf.org/cimi/1/MachineCollection", "count": "many"}'),
    ],
)
def test_an_answer_that_is_not_described_would_be_found(answer: Got) -> None:
    server = "http://host"
    operation = operations(described(CIMI_1), server)["GET", "/cimi/machines"]
    (case,) = drawn(operation, GenerationMode.POSITIVE, 1)
    sent = Sent(case, f"{server}/cimi/machines", b"", None)
    fine = got(200, '{"resourceURI": "http://schemas.dmtf.org/cimi/1/MachineCollection", "count": 0}')
    assert undescribed(sent, fine) is None
    assert undescribed(sent, answer)
