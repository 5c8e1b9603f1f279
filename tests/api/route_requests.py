"""Requests to any route: its URL and body, and the status of what only a role could stand in the way of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from gateway.app import Gateway
from gateway.orchestration.common.contract import Role
from tests.api.accounts import set_role, user_of
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.routes import OF_RESOURCES, PUBLIC, ROUTES, Route
from tests.api.world import World

REFUSALS = (401, 403, 404, 405)
GONE_WITH_OTHERS = ("Meter", "EventLog", "NetworkPort", "Address")
"""Deleted first, since they go when the resources that they belong to go."""
EDITS = {"Disk": {"capacity": 2000}}
"""What is edited of types that have no description of the user's."""
Ask = Callable[[Route, str], Awaitable[int]]
Asking = Callable[[ApiClient], Ask]


async def asking(world: World) -> Asking:
    """Return a function: ``await ask(client)(route, "PUT")`` is the status of a request about one of everything."""
    paths = await world.everything()
    addable = {route.collection.kind for route in OF_RESOURCES if route.collection and route.collection.addable}
    bodies = {**{kind: await world.document(kind) for kind in sorted(addable)}, "package": world.package()}

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
