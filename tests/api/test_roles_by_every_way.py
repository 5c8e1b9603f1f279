"""All routes again, for who comes by a token, and for members of the project and others: by no way in does more go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import granted
from tests.api.client import ApiClient
from tests.api.route_requests import REFUSALS, Asking, asking, in_order, role_of
from tests.api.routes import METHODS, OF_RESOURCES, Route
from tests.api.world import World

pytestmark = pytest.mark.slow

READS = ("GET", "HEAD")
OF_ONESELF = ("User", "Token")
"""Kinds that belong to a user, and not to a project."""
OF_MANAGERS = ("Project", "ProjectMember")
May = Callable[[Route, str], bool]


@pytest.fixture
async def ask(world: World) -> Asking:
    return await asking(world)


async def wrong(client: ApiClient, ask: Asking, may: May) -> list[str]:
    """The requests that are not answered as they may be: with 200 or so when they may, and else with 403."""
    found = []
    for route, method in in_order():
        status = await ask(client)(route, method)
        expected = may(route, method)
        right = status == 403 if not expected else status == 200 if method in READS else status not in REFUSALS
        if not right:
            found.append(f"{method} {route.path}: {status}, may: {expected}")
    return found


async def bearer(world: World, **limits: Any) -> ApiClient:
    made = await world.owner.post("tokens", limits)
    return replace(world.owner, token=made.json["token"])


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.VIEWER])
async def test_a_token_of_a_role_may_do_what_is_granted_to_that(
    world: World, gateway: Gateway, ask: Asking, role: Role
) -> None:
    """Whatever its user may."""
    client = await bearer(world, role=role.value)

    def may(route: Route, method: str) -> bool:
        kind, operation = route.needs(method)
        # It has a limit, so that it makes no tokens and changes no users; who gives roles has a role that says so.
        gives = kind in (*OF_ONESELF, *OF_MANAGERS) and method not in READS and (kind, method) != ("Token", "DELETE")
        return granted(role, kind, operation) and not gives

    async with role_of(gateway, world.owner.user, Role.ADMIN):
        assert await wrong(client, ask, may) == []


async def test_a_token_that_only_reads_changes_nothing_at_all(world: World, ask: Asking) -> None:
    client = await bearer(world, readOnly=True)
    assert await wrong(client, ask, lambda _route, method: method in READS) == []


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_a_member_may_do_what_the_role_in_the_project_says(
    world: World, client: Callable[..., ApiClient], ask: Asking, role: str
) -> None:
    """Whatever the role at home."""
    [own] = (await world.owner.document("projects"))["projects"]
    name = "other" if role == "viewer" else "viewer"
    assert (await world.owner.post(f"{own['id']}/members", {"userName": name, "role": role})).status == 201
    member, wrong_ones = replace(client(name), project=world.owner.user), []
    for route, method in in_order():
        kind, operation = route.needs(method)
        if kind in OF_ONESELF:
            continue
        may = granted(Role(role), kind, operation) and not (kind in OF_MANAGERS and method not in READS)
        status = await ask(member)(route, method)
        right = status == 403 if not may else status == 200 if method in READS else status not in REFUSALS
        if not right:
            wrong_ones.append(f"{method} {route.path}: {status}, may: {may}")
    assert wrong_ones == []


async def test_who_is_no_member_may_do_nothing(client: Callable[..., ApiClient], ask: Asking) -> None:
    stranger = ask(replace(client("other"), project="operator"))
    statuses = {f"{method} {route.path}": await stranger(route, method) for route in OF_RESOURCES for method in METHODS}
    assert {key: status for key, status in statuses.items() if status != 403} == {}
    assert len(statuses) > 600
