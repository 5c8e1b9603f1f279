"""Whatever comes or goes, by whom and however, is told once: by a `model` event, and the request by an `access` event.

Over every type that can be added and deleted. What a commit really made and removed, the store's watchers see.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.cimi.registry import TYPES
from gateway.store.store import Changes
from tests.api.client import ApiClient
from tests.api.creates import CREATES, Create
from tests.api.event_logs import everything, of_type
from tests.api.world import CPU, World

pytestmark = pytest.mark.slow

ADDABLE = [create for create in CREATES if create.action is None]
DELETABLE = [create for create in ADDABLE if TYPES[create.kind].deletable and create.kind != "VolumeVolumeImage"]
"""What VolumeVolumeImages show goes with their images."""
METERED = [kind for kind, declared in TYPES.items() if "meters" in declared.attributes and declared.template]
PART_OF_ANOTHER_STORY = {"Job", "EventLog"}
"""Jobs have events of other types; a log that comes and goes with its resource is told by that one's."""
Told = Counter[tuple[str, str]]


class Lives:
    """Which resources came and went since it looks."""

    def __init__(self, gateway: Gateway) -> None:
        self._store = gateway.store
        self._there: dict[str, str] = {}
        self.seen: Told = Counter()

    async def look(self) -> Lives:
        rows = await self._store.fetch("SELECT path, kind FROM resources")
        self._there = {str(path): str(kind) for path, kind in rows}
        self._store.watch(self._notice)
        return self

    def _notice(self, changes: Changes) -> None:
        came = {path for path, resource in changes.items() if resource is not None and path not in self._there}
        went = {path for path, resource in changes.items() if resource is None and path in self._there}
        kinds = {path: resource.kind for path, resource in changes.items() if resource is not None}
        for paths, change in ((came, "create"), (went, "delete")):
            for path in paths:
                kind = kinds.get(path) or self._there[path]
                part = any(path.startswith(f"{owner}/") for owner in paths)
                if not part and kind not in PART_OF_ANOTHER_STORY:
                    self.seen[path, change] += 1
        self._there = {path: kind for path, kind in {**self._there, **kinds}.items() if path not in went}


def told(events: list[dict[str, Any]], base: str) -> Told:
    """What the `model` events say: the paths, and whether it came or went."""
    contents = [event["content"] for event in of_type(events, "model")]
    logs = f"{base}eventLogs/"
    return Counter(
        (str(content["resource"]["href"]).removeprefix(base), str(content["change"]))
        for content in contents
        if content["change"] != "update" and not content["resource"]["href"].startswith(logs)
    )


async def since(admin: ApiClient, before: int) -> list[dict[str, Any]]:
    return await everything(admin, f"?$first={before + 1}&$last=100000")


async def number(admin: ApiClient) -> int:
    return len(await everything(admin, "?$last=100000"))


def asked(events: list[dict[str, Any]], path: str, base: str) -> list[str]:
    """The operations that were asked for on a resource, by the `access` events."""
    contents = [event["content"] for event in of_type(events, "access")]
    return [content["operation"] for content in contents if content["resource"]["href"] == base + path]


@pytest.mark.parametrize("create", ADDABLE, ids=str)
async def test_a_create_is_told_once(create: Create, world: World, gateway: Gateway, admin: ApiClient) -> None:
    request = await create.request(world, "json")
    before, lives = await number(admin), await Lives(gateway).look()
    answer = await request.send(Prefer="wait=30")
    assert answer.status == 201, answer.text
    events, path = await since(admin, before), answer.location.removeprefix(admin.base)
    if create.kind != "EventLog":
        assert lives.seen[path, "create"] == 1
    assert told(events, admin.base) == lives.seen
    if create.kind == "VolumeVolumeImage":
        # Adding one is another word for the Volume's action.
        assert asked(events, path.rpartition("/images/")[0], admin.base) == ["snapshot"]
    else:
        assert asked(events, path, admin.base) == ["add"]


@pytest.mark.parametrize("create", DELETABLE, ids=str)
async def test_a_delete_is_told_once(create: Create, world: World, gateway: Gateway, admin: ApiClient) -> None:
    path = await world.make(create.kind)
    before, lives = await number(admin), await Lives(gateway).look()
    answer = await admin.delete(path, Prefer="wait=30")
    assert answer.status == 200, answer.text
    events = await since(admin, before)
    if create.kind != "EventLog":
        assert lives.seen[path, "delete"] == 1
    assert told(events, admin.base) == lives.seen
    assert asked(events, path, admin.base) == ["delete"]


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_event_log_of_ones_own_is_told_as_all_else(world: World, admin: ApiClient, media: str) -> None:
    [create] = [create for create in ADDABLE if create.kind == "EventLog"]
    request = await create.request(world, media)
    before = await number(admin)
    url = (await request.send()).location
    assert (await admin.delete(url)).status == 200
    contents = [event["content"] for event in of_type(await since(admin, before), "model")]
    changes = [content["change"] for content in contents if content["resource"]["href"] == url]
    assert changes == ["create", "delete"]


@pytest.mark.parametrize("kind", METERED)
async def test_meters_that_come_and_go_with_their_resource_are_told(
    kind: str, world: World, gateway: Gateway, admin: ApiClient
) -> None:
    document, template = await world.document(kind), TYPES[kind].template or ""
    aspect = {"Network": "bandwidth", "NetworkPort": "inputBandwidth", "Volume": "disk"}.get(kind, "cpu")
    meter = {"meterConfig": {**CPU["meterConfig"], "aspect": aspect}}
    before, lives = await number(admin), await Lives(gateway).look()
    document[template] = {**document[template], "meterTemplates": [meter]}
    made = await world.owner.post(TYPES[kind].segment, document, Prefer="wait=30")
    assert made.status == 201, made.text
    [path] = [path for path, change in lives.seen if path.startswith("meters/")]
    assert (await world.owner.delete(made.location, Prefer="wait=30")).status == 200
    assert lives.seen[path, "delete"] == 1
    assert told(await since(admin, before), admin.base) == lives.seen


async def test_a_meter_whose_time_is_over_is_told_to_go(world: World, gateway: Gateway, admin: ApiClient) -> None:
    meter = await world.make("Meter")
    async with gateway.store.transaction() as transaction:
        await transaction.delete(meter)
    gone = [event["content"] for event in of_type(await everything(admin, "?$last=100000"), "model")][-1]
    assert (gone["resource"]["href"], gone["change"]) == (admin.base + meter, "delete")
