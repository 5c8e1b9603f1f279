"""All routes, asked with all methods in every role and in none: what is not granted is refused, the rest is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import granted
from tests.api.accounts import set_role, user_of
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.routes import METHODS, OF_RESOURCES, PUBLIC, ROUTES, Route
from tests.api.world import CATALOGUE, World

pytestmark = pytest.mark.slow

REFUSALS = (401, 403, 404, 405)
GONE_WITH_OTHERS = ("Meter", "EventLog", "NetworkPort", "Address")
"""Deleted first, since they go when the resources that they belong to go."""
EDITS = {"Disk": {"capacity": 2000}}
"""What is edited of types that have no description of the user's."""
Ask = Callable[[Route, str], Awaitable[int]]


@pytest.fixture
async def paths(world: World) -> dict[str, str]:
    return await world.everything()


@pytest.fixture
async def bodies(world: World, paths: dict[str, str]) -> dict[str, Any]:
    """By kind, of what may be added."""
    addable = {route.collection.kind for route in OF_RESOURCES if route.collection and route.collection.addable}
    return {**{kind: await world.document(kind) for kind in sorted(addable)}, "package": world.package()}


@pytest.fixture
def ask(world: World, paths: dict[str, str], bodies: dict[str, Any]) -> Callable[[ApiClient], Ask]:
    """``await ask(client)(route, "PUT")``: a request that only the role could stand in the way of; its status."""

    def of(client: ApiClient) -> Ask:
        async def status(route: Route, method: str) -> int:
            return (await asked(client, method, url_of(client, route, paths), body_of(route, method, bodies))).status

        return status

    return of


def url_of(client: ApiClient, route: Route, paths: dict[str, str]) -> str:
    path = None if route.named is None else paths[World.key(route.named, route.action)]
    return client.base.removesuffix("/cimi/") + route.filled(path)


def body_of(route: Route, method: str, bodies: dict[str, Any]) -> dict[str, Any] | bytes | None:
    if method == "PUT" and route.action == "upload":
        return b"\0" * 64
    if method == "PUT":
        return EDITS.get(route.named or "", {"description": "changed"})
    if method != "POST":
        return None
    if route.collection is not None:
        return dict(bodies.get(route.collection.kind, {}))
    if route.acting is not None:
        return {"source": bodies["package"]}
    return {"action": ACTION + route.acts[0]} if route.acts else {}


async def asked(client: ApiClient, method: str, url: str, body: dict[str, Any] | bytes | None) -> Answer:
    """Of a stream the head alone is read."""
    more = {"Content_Type": "application/octet-stream"} if isinstance(body, bytes) else {}
    if not url.endswith("/eventStream") or method != "GET":
        return await client.request(method, url, body, Prefer="wait=30", **more)
    async with client.session.get(url, headers=client.credentials) as answer:
        return Answer(answer.status, {}, "")


@asynccontextmanager
async def role_of(gateway: Gateway, user: str, role: Role) -> AsyncIterator[None]:
    """The user has another role, and what was theirs is still theirs."""
    former = (await user_of(gateway, user)).document["role"]
    await set_role(gateway, user, role)
    yield
    await set_role(gateway, user, former)


def in_order() -> list[tuple[Route, str]]:
    """All described requests; what takes something away comes last, and from the leaves."""

    def place(request: tuple[Route, str]) -> tuple[bool, int, bool]:
        route, method = request
        return method == "DELETE", -route.below.count("/"), route.named not in GONE_WITH_OTHERS

    guarded = [route for route in ROUTES if route.path not in (*PUBLIC, "/metrics")]
    return sorted([(route, method) for route in guarded for method in sorted(route.methods)], key=place)


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_is_granted_to_it_and_nothing_else(
    world: World, gateway: Gateway, ask: Callable[[ApiClient], Ask], role: Role
) -> None:
    """The same resources, and each role as their owner: so nothing but the role decides."""
    refused: dict[str, bool] = {}
    wrong = []
    async with role_of(gateway, world.owner.user, role):
        for route, method in in_order():
            status = await ask(world.owner)(route, method)
            may = granted(role, *route.needs(method))
            refused[f"{method} {route.path}"] = not may
            reads = method in ("GET", "HEAD")
            right = status == 403 if not may else status == 200 if reads else status not in REFUSALS
            if not right:
                wrong.append(f"{method} {route.path}: {status}, granted: {may}")
    assert wrong == []
    assert len(refused) > 250
    assert sum(refused.values()) >= {Role.ADMIN: 0, Role.OPERATOR: 15, Role.VIEWER: 90}[role]


async def test_nobody_may_do_anything(client: Callable[..., ApiClient], ask: Callable[[ApiClient], Ask]) -> None:
    stranger = ask(client(""))
    statuses = {f"{method} {route.path}": await stranger(route, method) for route in OF_RESOURCES for method in METHODS}
    assert {key: status for key, status in statuses.items() if status != 401} == {}
    assert len(statuses) > 600


async def test_to_another_operator_what_is_not_shared_does_not_exist(
    client: Callable[..., ApiClient], ask: Callable[[ApiClient], Ask]
) -> None:
    wrong = []
    for route, method in in_order():
        if route.named is None or (method == "POST" and route.collection is not None):
            continue
        status = await ask(client("other"))(route, method)
        shared = route.path.split("/")[2] == "resourceMetadata" or route.named in CATALOGUE
        expected = (200 if method in ("GET", "HEAD") else 403) if shared else 404
        if route.named == "CatalogImage":
            # Everybody may have what is in the catalogue.
            expected = 200
        if status != expected:
            wrong.append(f"{method} {route.path}: {status}, not {expected}")
    assert wrong == []


async def test_a_method_that_is_not_described_is_none_of_the_route(
    client: Callable[..., ApiClient], paths: dict[str, str]
) -> None:
    """And the gateway says by Allow what the description says."""
    admin = client("admin")
    wrong = []
    for route in OF_RESOURCES:
        for method in METHODS:
            if method in route.methods:
                continue
            answer = await asked(admin, method, url_of(admin, route, paths), {} if method == "POST" else None)
            allowed = frozenset(answer.headers.get("allow", "").split(", "))
            if answer.status != 405 or allowed != route.methods:
                wrong.append(f"{method} {route.path}: {answer.status}, {sorted(allowed)}")
    assert wrong == []


@pytest.mark.parametrize(("role", "status"), [(Role.ADMIN, 200), (Role.OPERATOR, 403), (Role.VIEWER, 403)])
async def test_metrics_are_for_admins(client: Callable[..., ApiClient], role: Role, status: int) -> None:
    asking = client(role.value)
    url = asking.base.removesuffix("cimi/") + "metrics"
    assert (await asking.get(url)).status == status
    assert (await replace(asking, user="").get(url)).status == 401


@pytest.mark.parametrize("path", PUBLIC)
async def test_health_and_the_way_to_the_entry_point_are_for_everybody(
    client: Callable[..., ApiClient], path: str
) -> None:
    nobody = client("")
    assert (await nobody.get(nobody.base.removesuffix("/cimi/") + path)).status in (200, 307)
