"""All routes, asked with all methods in every role and in none: what is not granted is refused, the rest is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.app import Gateway
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import granted
from tests.api.client import ApiClient
from tests.api.route_requests import REFUSALS, Asking, asked, asking, in_order, role_of, url_of
from tests.api.routes import METHODS, OF_RESOURCES, PUBLIC
from tests.api.world import CATALOGUE, World

pytestmark = pytest.mark.slow


@pytest.fixture
async def ask(world: World) -> Asking:
    """``await ask(client)(route, "PUT")``: a request that only the role could stand in the way of; its status."""
    return await asking(world)


@pytest.mark.parametrize("role", Role)
async def test_a_role_may_do_what_is_granted_to_it_and_nothing_else(
    world: World, gateway: Gateway, ask: Asking, role: Role
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


async def test_nobody_may_do_anything(client: Callable[..., ApiClient], ask: Asking) -> None:
    stranger = ask(client(""))
    statuses = {f"{method} {route.path}": await stranger(route, method) for route in OF_RESOURCES for method in METHODS}
    assert {key: status for key, status in statuses.items() if status != 401} == {}
    assert len(statuses) > 600


async def test_to_another_operator_what_is_not_shared_does_not_exist(
    client: Callable[..., ApiClient], ask: Asking
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
    client: Callable[..., ApiClient], world: World
) -> None:
    """And the gateway says by Allow what the description says."""
    admin, paths = client("admin"), await world.everything()
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
    user = client(role.value)
    url = user.base.removesuffix("cimi/") + "metrics"
    assert (await user.get(url)).status == status
    assert (await replace(user, user="").get(url)).status == 401


@pytest.mark.parametrize("path", PUBLIC)
async def test_health_and_the_way_to_the_entry_point_are_for_everybody(
    client: Callable[..., ApiClient], path: str
) -> None:
    nobody = client("")
    assert (await nobody.get(nobody.base.removesuffix("/cimi/") + path)).status in (200, 307)
