"""A client that lost the answer to an import asks again with the same Idempotency-Key, and nothing comes in twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app import Gateway
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.mortal import Mortal
from tests.api.packages import small_package, staged

pytestmark = pytest.mark.slow

XML = """<Action xmlns="http://schemas.dmtf.org/cimi/1"><action>{action}import</action><source>{source}</source></Action>"""
PLACES = ("systems", "systemTemplates")


@pytest.fixture
def source(images: Path) -> str:
    (images / "small.ova").write_bytes(small_package())
    return f"file://{images / 'small.ova'}"


async def asked(client: ApiClient, source: str, place: str = "systems", key: str = "k") -> Answer:
    body = XML.format(action=ACTION, source=source).encode()
    if client.media == "xml":
        return await client.post(f"{place}/import", body, Idempotency_Key=key)
    return await client.post(f"{place}/import", {"action": ACTION + "import", "source": source}, Idempotency_Key=key)


async def sent(client: ApiClient, content: bytes, key: str = "k", name: str = "sent") -> Answer:
    place = f"systems/import?name={name}"
    return await client.post(place, content, Content_Type="application/ovf", Idempotency_Key=key)


async def whole(admin: ApiClient, job: str) -> None:
    assert (await admin.ended(job))["state"] == "SUCCESS"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_the_same_import_gets_the_same_job(
    client: Callable[..., ApiClient], admin: ApiClient, source: str, place: str, media: str
) -> None:
    first, second = [await asked(client("admin", media), source, place) for _ in range(2)]
    assert (first.status, second.status, second.job) == (202, 202, first.job)
    await whole(admin, first.job)
    third = await asked(client("admin", media), source, place)
    assert (third.status, third.job) == (202, first.job)
    assert (await admin.document(place))["count"] == 1


async def test_of_two_at_once_one_begins_a_job(admin: ApiClient, source: str) -> None:
    first, second = await asyncio.gather(*(asked(admin, source) for _ in range(2)))
    assert (first.status, second.status, second.job) == (202, 202, first.job)
    await whole(admin, first.job)
    assert (await admin.document("systems"))["count"] == 1


async def test_a_repeated_import_needs_its_source_no_more(admin: ApiClient, source: str, images: Path) -> None:
    first = await asked(admin, source)
    await whole(admin, first.job)
    (images / "small.ova").unlink()
    assert (await asked(admin, source)).job == first.job


async def test_another_document_with_the_key_is_a_conflict(admin: ApiClient, source: str) -> None:
    await whole(admin, (await asked(admin, source)).job)
    named = {"action": ACTION + "import", "source": source, "properties": {"name": "other"}}
    other = await admin.post("systems/import", named, Idempotency_Key="k")
    assert (other.status, other.message) == (409, "this Idempotency-Key was used for another request")
    assert (await asked(admin, source, "systemTemplates")).status == 409
    assert (await admin.document("systems"))["count"] == 1


async def test_a_key_of_a_create_is_none_of_an_import(admin: ApiClient, source: str) -> None:
    made = await admin.post("machineConfigs", {"cpu": 1, "memory": 1}, Idempotency_Key="k")
    assert (made.status, (await asked(admin, source)).status) == (201, 409)
    assert (await asked(admin, source, key="l")).status == 202
    assert (await admin.post("machineConfigs", {"cpu": 1, "memory": 1}, Idempotency_Key="l")).status == 409


async def test_another_users_key_is_another_one(
    client: Callable[..., ApiClient], admin: ApiClient, source: str
) -> None:
    first, other = await asked(client("operator"), source), await asked(client("other"), source)
    assert (other.status, other.job != first.job) == (202, True)
    for answer in (first, other):
        await whole(admin, answer.job)


async def test_a_failed_import_is_told_again(admin: ApiClient, images: Path, source: str) -> None:
    (images / "small.ova").write_bytes(small_package()[:200_000])
    first = await asked(admin, source)
    assert (await admin.ended(first.job))["state"] == "FAILED"
    again = await asked(admin, source)
    assert (again.status, again.job, again.json["state"]) == (202, first.job, "FAILED")


async def test_what_was_refused_has_not_used_its_key(admin: ApiClient, source: str) -> None:
    assert (await asked(admin, "file:///nowhere/small.ova")).status == 400
    assert (await asked(admin, source)).status == 202


async def test_a_key_whose_job_is_kept_no_longer_imports_nothing_twice(
    admin: ApiClient, gateway: Gateway, source: str
) -> None:
    first = await asked(admin, source)
    await whole(admin, first.job)
    assert (await admin.delete(first.job)).status == 200
    again = await asked(admin, source)
    assert (again.status, "too long ago" in again.message) == (409, True)
    assert (await admin.document("systems"))["count"] == 1


async def test_a_package_that_is_sent_again_gets_the_same_job(admin: ApiClient, gateway: Gateway) -> None:
    first, second = [await sent(admin, small_package()) for _ in range(2)]
    assert (first.status, second.status, second.job) == (202, 202, first.job)
    await whole(admin, first.job)
    assert ((await admin.document("systems"))["count"], staged(gateway)) == (1, [])


async def test_another_package_or_name_with_the_key_is_a_conflict(admin: ApiClient, gateway: Gateway) -> None:
    first = await sent(admin, small_package())
    await whole(admin, first.job)
    other = small_package().replace(b'ovf:id="small"', b'ovf:id="other"')
    answers = [await sent(admin, other), await sent(admin, small_package(), name="other")]
    assert [answer.status for answer in answers] == [409, 409]
    assert ((await admin.document("systems"))["count"], staged(gateway)) == (1, [])


async def test_the_key_is_known_after_a_death_and_a_restart(mortal: Mortal, source: str) -> None:
    """Dead after the first step of the import."""
    mortal.steps, mortal.dies_after = 0, 1
    first = await asked(mortal.client, source)
    assert (await mortal.ended(first.job))["state"] == "SUCCESS"
    again = await asked(mortal.client, source)
    assert (mortal.deaths, again.status, again.job) == (1, 202, first.job)
    assert (await mortal.client.document("systems"))["count"] == 1
