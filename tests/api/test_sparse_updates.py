"""A full update that leaves out what a resource must have keeps that: clients of 1.x send what they change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.cimi.registry import TYPES
from tests.api.client import ApiClient
from tests.api.world import World

pytestmark = pytest.mark.slow

EDITABLE = sorted(kind for kind, declared in TYPES.items() if declared.editable)
HOLDING = sorted(kind for kind, declared in TYPES.items() if declared.mandatory)


@pytest.fixture
def sender(client: Callable[..., ApiClient]) -> Callable[[str], ApiClient]:
    return lambda media: client("admin", media)


def sparse(kind: str, media: str) -> Any:
    """An update of the description, where the type has one."""
    if "description" not in TYPES[kind].attributes:
        return f"<{kind}/>".encode() if media == "xml" else {}
    return f"<{kind}><description>x</description></{kind}>".encode() if media == "xml" else {"description": "x"}


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("kind", EDITABLE)
async def test_an_update_of_one_attribute_keeps_all_that_is_mandatory(
    world: World, sender: Callable[[str], ApiClient], kind: str, media: str
) -> None:
    path = await world.ensure(kind)
    before = await world.admin.document(path)
    answer = await sender(media).put(path, sparse(kind, media))
    assert answer.status == 200, answer.text
    after = await world.admin.document(path)
    for name in TYPES[kind].mandatory & before.keys():
        assert after[name] == before[name]
    if "description" in TYPES[kind].attributes:
        assert after["description"] == "x"
        if "name" not in TYPES[kind].mandatory:
            assert "name" not in after  # What is optional is taken away, as a full update says.


def test_mandatory_attributes_are_declared_and_writable() -> None:
    for kind in HOLDING:
        declared = TYPES[kind]
        assert declared.editable
        assert all(declared.attributes[name].writable for name in declared.mandatory)
    assert {"MachineConfiguration", "MachineTemplate", "VolumeConfiguration", "MeterConfiguration"} <= set(HOLDING)


async def test_a_partial_update_takes_away_what_it_selects_and_leaves_out(world: World) -> None:
    path = await world.ensure("MachineConfiguration")
    answer = await world.admin.put(f"{path}?$select=cpu,description", {"description": "x"})
    assert (answer.status, answer.message) == (400, "cpu: is missing")


async def test_a_mandatory_attribute_that_is_sent_is_changed(world: World) -> None:
    path = await world.ensure("MachineConfiguration")
    before = await world.admin.document(path)
    answer = await world.admin.put(path, {"cpu": 3})
    assert (answer.status, answer.json["cpu"], answer.json["memory"]) == (200, 3, before["memory"])


async def test_secrets_of_a_template_stay_with_what_is_kept(world: World) -> None:
    credential = {"userName": "ops", "password": "a secret"}
    path = await world.make("MachineTemplate", credential=credential)
    assert (await world.admin.put(path, {"description": "x", "credential": {"userName": "ops"}})).status == 200
    made = await world.owner.post("machines", {"machineTemplate": {"href": world.owner.base + path}}, Prefer="wait=30")
    assert made.status == 201, made.text
