"""$select, $first and $last as clients of 1.x use them, in both formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.client import Answer, ApiClient

pytestmark = pytest.mark.slow

NAMES = ("x", "y", "z")


@pytest.fixture
async def three(admin: ApiClient) -> dict[str, str]:
    """The URIs of three MachineConfigurations by their names; what the gateway ships is gone."""
    listed = await admin.document("machineConfigs")
    for item in listed["machineConfigurations"]:
        assert (await admin.delete(item["id"])).status == 200
    made = {}
    for name in NAMES:
        answer = await admin.post("machineConfigs", {"name": name, "cpu": 1, "memory": 131072})
        assert answer.status == 201, answer.text
        made[name] = answer.location
    return made


def shown(answer: Answer, media: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The collection's own members and its items, by local names; numbers as text."""
    assert answer.status == 200, answer.text
    if media == "json":
        own = {name: str(value) for name, value in answer.json.items() if not isinstance(value, list)}
        items = answer.json.get("machineConfigurations", [])
        return own, [{name: str(value) for name, value in item.items() if name != "resourceURI"} for item in items]
    root = answer.xml
    own = {child.tag.rpartition("}")[2]: child.text or "" for child in root if not len(child)}
    items = [child for child in root if child.tag.endswith("}MachineConfiguration")]
    return own, [{part.tag.rpartition("}")[2]: part.text or "" for part in item} for item in items]


@pytest.fixture(params=["json", "xml"])
def media(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reader(client: Callable[..., ApiClient], media: str) -> ApiClient:
    return client("admin", media)


async def test_select_of_id_and_an_items_attribute_gives_each_item_its_id(
    reader: ApiClient, media: str, three: dict[str, str]
) -> None:
    own, items = shown(await reader.get("machineConfigs?$select=id,name"), media)
    assert own["id"].endswith("machineConfigs")
    assert {item["name"]: item["id"] for item in items} == three
    assert all(set(item) == {"id", "name"} for item in items)


@pytest.mark.parametrize("query", ["$filter=name='y'", "$first=2&$last=2", "$orderby=name&$first=2&$last=2"])
async def test_select_of_id_alone_gives_the_items_of_a_narrowed_collection(
    reader: ApiClient, media: str, three: dict[str, str], query: str
) -> None:
    own, items = shown(await reader.get(f"machineConfigs?$select=id&{query}"), media)
    assert own["id"].endswith("machineConfigs")
    assert items == [{"id": three["y"]}]


@pytest.mark.parametrize(
    "query", ["$filter=cpu=1", "$first=1", "$last=3", "$orderby=name", "$orderby=name:desc", "$first=1&$last=3"]
)
async def test_each_parameter_that_narrows_or_sorts_makes_id_the_items_too(
    reader: ApiClient, media: str, three: dict[str, str], query: str
) -> None:
    _, items = shown(await reader.get(f"machineConfigs?$select=id&{query}"), media)
    assert {item["id"] for item in items} == set(three.values())


async def test_select_of_id_alone_is_of_the_collection_alone(
    reader: ApiClient, media: str, three: dict[str, str]
) -> None:
    own, items = shown(await reader.get("machineConfigs?$select=id"), media)
    assert own["id"].endswith("machineConfigs")
    assert "count" not in own
    assert items == []


@pytest.mark.parametrize("narrowed", ["", "&$first=1", "&$filter=cpu=1"])
async def test_select_of_count_and_operations_shows_no_items(
    reader: ApiClient, media: str, three: dict[str, str], narrowed: str
) -> None:
    own, items = shown(await reader.get(f"machineConfigs?$select=count,operations{narrowed}"), media)
    assert own["count"] == "3"
    assert "id" not in own
    assert items == []


async def test_items_have_no_id_that_is_not_selected(reader: ApiClient, media: str, three: dict[str, str]) -> None:
    _, items = shown(await reader.get("machineConfigs?$select=name&$filter=cpu=1"), media)
    assert sorted(item["name"] for item in items) == list(NAMES)
    assert all(set(item) == {"name"} for item in items)


@pytest.mark.parametrize("query", ["$last=0", "$first=0&$last=0", "$last=-1", "$first=-3&$last=-1"])
async def test_a_last_position_before_the_first_item_gives_an_empty_page(
    reader: ApiClient, media: str, three: dict[str, str], query: str
) -> None:
    own, items = shown(await reader.get(f"machineConfigs?{query}"), media)
    assert own["count"] == "3"
    assert items == []


@pytest.mark.parametrize("collection", ["resourceMetadata", "jobs", "eventLogs/everything/events", "machines"])
async def test_no_kind_of_collection_has_an_item_before_the_first(
    admin: ApiClient, three: dict[str, str], collection: str
) -> None:
    listed = await admin.document(f"{collection}?$last=0")
    assert not [value for name, value in listed.items() if isinstance(value, list) and name != "operations"]
