"""If-Match guards a delete to its end: a change that comes while it is checked is not lost with the resource."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.cimi.registry import TYPES
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Resource
from gateway.store.store import Store
from tests.api.client import ApiClient
from tests.api.world import World

pytestmark = pytest.mark.slow

DELETABLE = sorted(kind for kind, declared in TYPES.items() if declared.deletable)


@pytest.fixture
def world(
    admin: ApiClient, client: Callable[..., ApiClient], gateway: Gateway, driver: MemoryDriver, images: Path
) -> World:
    return World(client("operator"), admin, gateway, driver, images)


async def bump(store: Store, resource: Resource) -> None:
    """Change nothing of it but its version, as any change does."""
    async with store.transaction() as transaction:
        current = await transaction.get(resource.path)
        assert current is not None
        await transaction.update(current)


async def to_delete(world: World, kind: str) -> str:
    """One that nothing keeps from going: the owner's own project goes with the owner."""
    return await world.make(kind) if kind == "Project" else await world.ensure(kind)


@pytest.mark.parametrize("kind", DELETABLE)
async def test_a_delete_with_a_tag_is_refused_when_the_resource_is_changed_while_it_is_checked(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await to_delete(world, kind)
    tag = (await world.admin.get(path)).headers["etag"]
    checked = ResourceService.to_change

    async def then_changed(service: ResourceService, *arguments: Any) -> Resource:
        monkeypatch.undo()
        resource = await checked(service, *arguments)
        await bump(world.gateway.store, resource)
        return resource

    monkeypatch.setattr(ResourceService, "to_change", then_changed)
    answer = await world.admin.delete(path, If_Match=tag)
    assert answer.status == 412, answer.text
    assert (await world.admin.get(path)).status == 200


@pytest.mark.parametrize("kind", DELETABLE)
async def test_of_two_deletes_at_once_the_second_finds_nothing_or_is_refused(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await to_delete(world, kind)
    checked = ResourceService.to_change

    async def then_deleted(service: ResourceService, *arguments: Any) -> Resource:
        monkeypatch.undo()
        resource = await checked(service, *arguments)
        first = await world.admin.delete(path)
        assert first.status in (200, 202), first.text
        await world.admin.ended(first.job)
        return resource

    monkeypatch.setattr(ResourceService, "to_change", then_deleted)
    answer = await world.admin.delete(path)
    assert answer.status in (404, 409), answer.text
