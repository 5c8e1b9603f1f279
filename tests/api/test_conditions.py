"""ETag, If-Match, If-None-Match: no client overwrites what it has not seen."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api.client import ApiClient


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
