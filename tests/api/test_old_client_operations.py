"""Operations as clients of 1.x pick them: the last whose ``rel`` contains the word that they look for."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from tests.api.client import ACTION, Answer, ApiClient
from tests.api.world import World


def rels(answer: Answer, media: str) -> list[str]:
    assert answer.status == 200, answer.text
    if media == "json":
        return [operation["rel"] for operation in answer.json["operations"]]
    root: ElementTree.Element = answer.xml
    return [child.attrib["rel"] for child in root if child.tag.endswith("}operation")]


def last_with(word: str, listed: list[str]) -> str:
    return [rel for rel in listed if word in rel][-1]


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("verb", ["stop", "pause"])
async def test_the_last_operation_with_start_in_its_name_starts_a_machine(
    admin: ApiClient, client: Callable[..., ApiClient], machine: str, media: str, verb: str
) -> None:
    assert (await admin.acted(machine, verb, force=True))["state"] == "SUCCESS"
    listed = rels(await client("admin", media).get(machine), media)
    assert ACTION + "restart" in listed
    assert last_with("start", listed) == ACTION + "start"


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_the_last_operation_with_start_in_its_name_starts_a_system(
    world: World, client: Callable[..., ApiClient], media: str
) -> None:
    system = await world.ensure("System")
    assert (await world.owner.acted(system, "stop", force=True))["state"] == "SUCCESS"
    listed = rels(await client("operator", media).get(system), media)
    assert ACTION + "restart" in listed
    assert last_with("start", listed) == ACTION + "start"
