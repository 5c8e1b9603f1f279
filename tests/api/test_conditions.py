"""ETag, If-Match, If-None-Match: no client overwrites what it has not seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from drivers.base import HostFacts, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow


async def tag_of(client: ApiClient, url: str) -> str:
    return (await client.get(url)).headers["etag"]


async def test_tags_differ_by_format_and_selection_and_follow_the_resource(
    admin: ApiClient, client: Callable[..., ApiClient], machine: str
) -> None:
    views = [(admin, machine), (admin, f"{machine}?$select=name"), (client("admin", "xml"), machine)]
    before = [await tag_of(*view) for view in views]
    assert len(set(before)) == 3
    assert before == [await tag_of(*view) for view in views]
    await admin.put(f"{machine}?$select=name", {"name": "other"})
    assert not set(before) & {await tag_of(*view) for view in views}


@pytest.mark.parametrize("query", ["", "?$select=name", "?$select=name&$format=xml"])
async def test_a_tag_of_any_representation_admits_the_update(admin: ApiClient, machine: str, query: str) -> None:
    url = f"{machine}?$select=name"
    tag = await tag_of(admin, machine + query)
    assert (await admin.put(url, {"name": "x"}, If_Match=f'"other", {tag}')).status == 200
    assert (await admin.put(url, {"name": "y"}, If_Match=tag)).status == 412
    assert (await admin.document(machine))["name"] == "x"


async def test_any_tag_is_a_star(admin: ApiClient, machine: str) -> None:
    assert (await admin.put(f"{machine}?$select=name", {"name": "x"}, If_Match="*")).status == 200
    assert (await admin.put(f"{machine}?$select=name", {"name": "y"}, If_None_Match="*")).status == 412
    assert (await admin.document(machine))["name"] == "x"


async def test_a_weak_tag_is_enough_to_read_and_too_little_to_change(admin: ApiClient, machine: str) -> None:
    weak = "W/" + await tag_of(admin, machine)
    assert (await admin.get(machine, If_None_Match=weak)).status == 304
    assert (await admin.delete(machine, If_Match=weak)).status == 412


async def test_deletes_and_actions_are_guarded_as_updates_are(admin: ApiClient, machine: str) -> None:
    for answer in (
        await admin.delete(machine, If_Match='"old"'),
        await admin.post(f"{machine}/stop", {"force": True}, If_Match='"old"'),
    ):
        assert answer.status == 412
    assert (await admin.document(machine))["state"] == "STARTED"
    assert (await admin.delete(machine, If_Match=await tag_of(admin, machine))).status == 200


async def test_a_collection_that_did_not_change_is_304(admin: ApiClient, machine: str) -> None:
    tag = await tag_of(admin, "machines")
    answer = await admin.get("machines", If_None_Match=tag)
    assert (answer.status, answer.text, answer.headers["etag"]) == (304, "", tag)
    await admin.delete(machine)
    assert (await admin.get("machines", If_None_Match=tag)).status == 200


async def test_the_tag_of_a_change_is_that_of_the_next_read(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}?$select=name", {"name": "x"})
    assert answer.headers["etag"] == await tag_of(admin, machine)


@pytest.fixture
def pausing_meanwhile(machine: str, driver: MemoryDriver, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest is paused by an admin while the next resize looks at the host."""
    look, uuid = driver.host, machine.rpartition("/")[2]

    async def paused_first() -> HostFacts:
        monkeypatch.undo()
        driver.externally(uuid, Power.PAUSED)
        for _ in range(250):
            known = await gateway.store.get(f"machines/{uuid}")
            if known is not None and known.state == "PAUSED":
                return await look()
            await asyncio.sleep(0.02)
        raise AssertionError("the pause is never seen")

    monkeypatch.setattr(driver, "host", paused_first)


@pytest.mark.usefixtures("pausing_meanwhile")
@pytest.mark.parametrize("condition", [{}, {"If_Match": "*"}])
async def test_an_update_without_a_tag_goes_through_when_the_guest_changes_its_state_meanwhile(
    admin: ApiClient, machine: str, condition: dict[str, str]
) -> None:
    answer = await admin.put(f"{machine}?$select=cpu", {"cpu": 2}, **condition)
    assert answer.status == 200, answer.text
    shown = await admin.document(machine)
    assert (shown["state"], shown["cpu"]) == ("PAUSED", 2)


@pytest.mark.usefixtures("pausing_meanwhile")
async def test_an_update_with_a_tag_is_refused_when_the_guest_changes_its_state_meanwhile(
    admin: ApiClient, machine: str
) -> None:
    answer = await admin.put(f"{machine}?$select=cpu", {"cpu": 2}, If_Match=await tag_of(admin, machine))
    assert answer.status == 412
    assert (await admin.document(machine))["cpu"] == 1
