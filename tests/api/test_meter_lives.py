"""Meters: started, stopped, edited, and gone."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.meters import ASPECT, Look, made, samples

pytestmark = pytest.mark.slow

# Start, stop, expiry


async def test_a_stopped_meter_records_nothing_until_it_is_started(admin: ApiClient, machine: str, look: Look) -> None:
    meter = await made(admin, machine, "memory")
    await look()
    assert (await admin.acted(meter, "stop"))["state"] == "SUCCESS"
    rels = {entry["rel"].rpartition("/")[2] for entry in (await admin.document(meter))["operations"]}
    assert rels == {"edit", "delete", "start"}
    await look(10)
    assert (await admin.act(meter, "stop")).status == 409
    await admin.acted(meter, "start")
    await look(10)
    assert len(await samples(admin, meter)) == 2


async def test_after_its_stop_time_a_meter_records_nothing(
    admin: ApiClient, machine: str, look: Look, gateway: Gateway, driver: MemoryDriver
) -> None:
    meter = await made(admin, machine, "memory")
    answer = await admin.put(f"{meter}?$select=stopTime", {"stopTime": "2100-01-01T00:00:00Z"})
    assert answer.status == 200, answer.text
    await look()
    driver.state.seconds_ahead += 100 * 366 * 86400
    await look()
    assert len(await samples(admin, meter)) == 1


async def test_an_expired_meter_is_gone_with_its_samples(
    admin: ApiClient, machine: str, look: Look, gateway: Gateway
) -> None:
    meter = await made(admin, machine, "memory")
    await admin.put(f"{meter}?$select=expiresTime", {"expiresTime": "2100-01-01T00:00:00Z"})
    await look()
    await gateway.sampler.expire(4_200_000_000_000)
    assert (await admin.get(meter)).status == 404
    assert (await admin.document(f"{machine}/meters"))["count"] == 0


@pytest.mark.parametrize(
    ("document", "attribute"),
    [
        ({"stopTime": "2001-01-01T00:00:00Z"}, "stopTime"),
        ({"expiresTime": "2001-01-01T00:00:00Z"}, "expiresTime"),
        ({"sampleInterval": 3}, "sampleInterval"),
        ({"minValue": "few"}, "minValue"),
        ({"minValue": "5", "maxValue": "4"}, "maxValue"),
    ],
)
async def test_a_wrong_edit_is_refused_by_name(
    admin: ApiClient, machine: str, document: dict[str, Any], attribute: str
) -> None:
    meter = await made(admin, machine)
    answer = await admin.put(f"{meter}?$select={','.join(document)}", document)
    assert (answer.status, answer.message.split(":")[0]) == (400, attribute)


async def test_what_a_meter_measures_cannot_be_edited(admin: ApiClient, machine: str) -> None:
    meter = await made(admin, machine)
    document = {**(await admin.document(meter)), "name": "n", "aspect": f"{ASPECT}memory", "sampleInterval": 20}
    assert (await admin.put(meter, document)).status == 200
    edited = await admin.document(meter)
    assert (edited["name"], edited["aspect"], edited["sampleInterval"]) == ("n", f"{ASPECT}cpu", 20)


async def test_meters_go_with_their_machine(admin: ApiClient, machine: str, look: Look) -> None:
    meter = await made(admin, machine, "memory")
    await look()
    await admin.ended((await admin.delete(machine)).job)
    assert (await admin.get(meter)).status == 404
    assert (await admin.document("meters"))["count"] == 0


async def test_a_deleted_meter_leaves_the_collection_of_its_machine(admin: ApiClient, machine: str) -> None:
    meter = await made(admin, machine)
    assert (await admin.delete(meter)).status == 200
    assert (await admin.document(f"{machine}/meters"))["count"] == 0
