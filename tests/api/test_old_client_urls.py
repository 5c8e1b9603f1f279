"""URLs that clients of 1.x have built in: collections in snake case, taken in requests and references, never shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.cimi.registry import ALIASES, TYPES
from tests.api.client import ACTION, ApiClient
from tests.api.world import World

pytestmark = pytest.mark.slow

ROOT_ALIASES = sorted((alias, segment) for (kind, alias), segment in ALIASES.items() if kind is None)
NESTED_ALIASES = sorted((kind, alias, segment) for (kind, alias), segment in ALIASES.items() if kind is not None)


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize(("alias", "segment"), ROOT_ALIASES)
async def test_a_root_collection_is_read_by_its_alias_and_shown_by_its_name(
    client: Callable[..., ApiClient], media: str, alias: str, segment: str
) -> None:
    reader = client("admin", media)
    by_alias, by_name = await reader.get(alias), await reader.get(segment)
    assert (by_alias.status, by_alias.text) == (200, by_name.text)
    assert f"/{alias}" not in by_alias.text


async def test_every_nested_collection_is_read_by_its_alias(world: World) -> None:
    for kind, alias, segment in NESTED_ALIASES:
        path = await world.ensure(kind)
        by_alias, by_name = await world.owner.get(f"{path}/{alias}"), await world.owner.get(f"{path}/{segment}")
        assert (by_alias.status, by_alias.text) == (200, by_name.text), (kind, alias)


async def test_resources_are_made_read_changed_and_deleted_by_the_alias(admin: ApiClient) -> None:
    made = await admin.post("machine_configurations/", {"name": "old", "cpu": 1, "memory": 131072})
    assert made.status == 201, made.text
    assert made.location.startswith(f"{admin.base}machineConfigs/")
    old = f"machine_configurations/{made.location.rpartition('/')[2]}"
    assert (await admin.document(old))["id"] == made.location
    changed = await admin.put(f"{old}?$select=name", {"name": "older"})
    assert (changed.status, changed.json["name"]) == (200, "older")
    assert (await admin.delete(old)).status == 200
    assert (await admin.get(made.location)).status == 404


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_reference_by_alias_is_shown_by_the_name(
    client: Callable[..., ApiClient], image: str, media: str
) -> None:
    sender = client("admin", media)
    old = image.replace("/machineImages/", "/machine_images/")
    config = "<machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>"
    body: bytes = f'<MachineTemplate>{config}<machineImage href="{old}"/></MachineTemplate>'.encode()
    if media == "json":
        made = await sender.post(
            "machine_templates",
            {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": old}},
        )
    else:
        made = await sender.post("machine_templates", body)
    assert made.status == 201, made.text
    assert image in made.text
    assert old not in made.text


async def test_an_action_is_asked_for_by_the_alias(admin: ApiClient, image: str) -> None:
    old = image.replace("/machineImages/", "/machine_images/")
    assert (await admin.get(f"{old}/download")).status == 200


async def test_an_error_at_an_alias_names_the_action_that_was_tried(world: World) -> None:
    path = (await world.ensure("SystemTemplate")).replace("systemTemplates", "system_templates")
    answer = await world.owner.post(f"{path}/export", {"format": "nothing of this kind"})
    assert answer.status == 400
    assert answer.json["action"] == ACTION + "export"


async def test_the_entry_point_shows_no_alias(admin: ApiClient) -> None:
    shown = (await admin.get("")).text
    assert not [alias for alias, _ in ROOT_ALIASES if f"/{alias}" in shown]
    roots = [declared for declared in TYPES.values() if declared.parent is None and not declared.singleton]
    assert all(f"/{declared.segment}" in shown for declared in roots)
