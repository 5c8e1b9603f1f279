"""Between the groups of a start order, what a package says of delays is waited for (DSP0243 9.7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.clock import timestamp
from tests.api.client import ApiClient
from tests.api.mortal import Mortal, again
from tests.api.packages import STARTUP, described, made, package
from tests.api.systems import machine, members, system
from tests.patience import eventually

pytestmark = pytest.mark.slow

HOUR = "3600"
DELAY = "ovf.startup.startDelay"


def pair(image: str, **properties: str) -> dict[str, Any]:
    """Two Machines, one after the other; the properties are the first one's."""
    first = machine(image, "db", initialState="STOPPED") | {"properties": {"startOrder": "1", **properties}}
    return system(first, machine(image, "web", initialState="STOPPED") | {"properties": {"startOrder": "2"}})


async def new(client: ApiClient, document: dict[str, Any]) -> str:
    answer = await client.post("systems", document, Prefer="wait=60")
    assert answer.status == 201, answer.text
    return answer.location


async def begun(client: ApiClient, url: str, verb: str = "start", **parameters: Any) -> str:
    answer = await client.act(url, verb, **parameters)
    assert answer.status == 202, answer.text
    return answer.job


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    await eventually(condition, what)


async def lines(gateway: Gateway, job: str) -> list[str]:
    return [message for *_, message in await gateway.runner.lines("jobs/" + job.rpartition("/")[2])]


async def waiting(gateway: Gateway, job: str) -> str:
    """What the Job's log says of the wait, once it waits."""
    found: list[str] = []

    async def told() -> bool:
        found[:] = [line for line in await lines(gateway, job) if line.startswith("waits ")]
        return bool(found)

    await until(told, f"{job} does not wait")
    return found[-1]


async def states(client: ApiClient, url: str) -> dict[str, str]:
    return {name: found["state"] for name, found in (await members(client, url, "machines")).items()}


async def moments(client: ApiClient, job: dict[str, Any]) -> tuple[datetime, datetime]:
    """When the first nested Job ended, and the second began."""
    first, second = [await client.document(entry["href"]) for entry in job["nestedJobs"]]
    return datetime.fromisoformat(first["timeOfStatusChange"]), datetime.fromisoformat(second["created"])


async def test_the_next_are_started_when_the_delay_is_over(admin: ApiClient, image: str) -> None:
    job = await admin.ended(await begun(admin, await new(admin, pair(image, **{DELAY: "1"}))))
    assert job["state"] == "SUCCESS"
    ended, began = await moments(admin, job)
    assert began - ended >= timedelta(seconds=1)


async def test_meanwhile_the_log_says_for_what_and_the_next_are_off(
    admin: ApiClient, image: str, gateway: Gateway
) -> None:
    url = await new(admin, pair(image, **{DELAY: HOUR}))
    job = await begun(admin, url)
    said = await waiting(gateway, job)
    assert said.startswith("waits 3600 s before the next, for the startDelay of Machine 'db'")
    assert await states(admin, url) == {"db": "STARTED", "web": "STOPPED"}


async def test_a_job_that_waits_stops_at_once_and_starts_nothing_more(
    admin: ApiClient, image: str, gateway: Gateway
) -> None:
    url = await new(admin, pair(image, **{DELAY: HOUR}))
    job = await begun(admin, url)
    await waiting(gateway, job)
    assert (await admin.act(job, "stop")).status == 202
    assert (await admin.ended(job))["state"] == "STOPPED"
    assert await states(admin, url) == {"db": "STARTED", "web": "STOPPED"}


async def test_a_stop_of_the_system_ends_the_wait(admin: ApiClient, image: str, gateway: Gateway) -> None:
    url = await new(admin, pair(image, **{DELAY: HOUR}))
    job = await begun(admin, url)
    await waiting(gateway, job)
    assert (await admin.acted(url, "stop", force=True))["state"] == "SUCCESS"
    assert await states(admin, url) == {"db": "STOPPED", "web": "STOPPED"}


@pytest.mark.parametrize("delay", ["99999999", "65535"])
async def test_no_delay_is_longer_than_an_hour(admin: ApiClient, image: str, gateway: Gateway, delay: str) -> None:
    job = await begun(admin, await new(admin, pair(image, **{DELAY: delay})))
    assert "waits 3600 s" in await waiting(gateway, job)
    await admin.act(job, "stop")


@pytest.mark.parametrize("delay", ["", "soon", "-5", "1.5"])
async def test_a_delay_that_is_no_whole_number_is_none(admin: ApiClient, image: str, delay: str) -> None:
    job = await admin.ended(await begun(admin, await new(admin, pair(image, **{DELAY: delay}))))
    assert job["state"] == "SUCCESS"


async def test_the_delay_after_the_last_is_none(admin: ApiClient, image: str) -> None:
    only = machine(image, "web", initialState="STOPPED") | {"properties": {DELAY: HOUR}}
    job = await admin.ended(await begun(admin, await new(admin, system(only))))
    assert job["state"] == "SUCCESS"


async def test_what_runs_already_is_not_waited_for(admin: ApiClient, image: str) -> None:
    url = await new(admin, pair(image, **{DELAY: HOUR}))
    await admin.acted((await members(admin, url, "machines"))["db"]["id"], "start")
    assert (await admin.ended(await begun(admin, url)))["state"] == "SUCCESS"


async def test_the_delay_of_a_stop_is_one_of_its_own(admin: ApiClient, image: str, gateway: Gateway) -> None:
    document = pair(image)
    document["systemTemplate"]["componentDescriptors"][1]["properties"]["ovf.startup.stopDelay"] = HOUR
    url = await new(admin, document)
    assert (await admin.ended(await begun(admin, url)))["state"] == "SUCCESS"
    job = await begun(admin, url, "stop")
    assert "for the stopDelay of Machine 'web'" in await waiting(gateway, job)
    assert await states(admin, url) == {"db": "STARTED", "web": "STOPPED"}
    await admin.act(job, "stop")
    assert (await admin.ended(job))["state"] == "STOPPED"


async def test_what_is_forced_waits_for_nothing(admin: ApiClient, image: str) -> None:
    document = pair(image)
    document["systemTemplate"]["componentDescriptors"][1]["properties"]["ovf.startup.stopDelay"] = HOUR
    url = await new(admin, document)
    await admin.ended(await begun(admin, url))
    assert (await admin.ended(await begun(admin, url, "stop", force=True)))["state"] == "SUCCESS"


async def test_systems_inside_have_delays_too(admin: ApiClient, image: str, gateway: Gateway) -> None:
    inner = await new(admin, system(machine(image, "web", initialState="STOPPED")))
    assert (await admin.put(inner, {"name": "in", "properties": {DELAY: HOUR}})).status == 200
    outer = await new(admin, system(machine(image, "z", initialState="STOPPED") | {"properties": {"startOrder": "1"}}))
    assert (await admin.post(f"{outer}/systems", {"system": {"href": inner}})).status == 201
    job = await begun(admin, outer)
    assert "for the startDelay of System 'in'" in await waiting(gateway, job)
    await admin.act(job, "stop")


async def test_other_jobs_have_the_worker_of_one_that_waits(admin: ApiClient, image: str, gateway: Gateway) -> None:
    """More of them wait than there are workers."""
    urls = [await new(admin, pair(image, **{DELAY: HOUR})) for _ in range(9)]
    jobs = [await begun(admin, url) for url in urls]
    for job in jobs:
        await waiting(gateway, job)
    assert (await admin.acted((await members(admin, urls[0], "machines"))["web"]["id"], "start"))["state"] == "SUCCESS"
    for job in jobs:
        await admin.act(job, "stop")


# Over a restart


async def test_after_a_restart_what_is_left_of_the_delay_is_waited(mortal: Mortal, image_of: str) -> None:
    url = await new(mortal.client, pair(image_of, **{DELAY: HOUR}))
    job = await begun(mortal.client, url)
    await waiting(mortal.gateway, job)
    await earlier(mortal.gateway, job, timedelta(seconds=3000))
    await again(mortal, 0)

    async def goes_on() -> bool:
        found = [line for line in await lines(mortal.gateway, job) if line.startswith("waits ")]
        return len(found) == 2 and int(found[1].split()[1]) <= 600

    await until(goes_on, "it does not wait for the rest")
    assert await states(mortal.client, url) == {"db": "STARTED", "web": "STOPPED"}
    await mortal.client.act(job, "stop")
    assert (await mortal.client.ended(job))["state"] == "STOPPED"


async def test_a_delay_that_is_over_by_a_restart_is_not_waited_again(mortal: Mortal, image_of: str) -> None:
    job = await begun(mortal.client, await new(mortal.client, pair(image_of, **{DELAY: HOUR})))
    await waiting(mortal.gateway, job)
    await earlier(mortal.gateway, job, timedelta(seconds=3700))
    await again(mortal, 0)
    assert (await mortal.client.ended(job))["state"] == "SUCCESS"


@pytest.fixture
async def image_of(mortal: Mortal, images: Path, driver: MemoryDriver) -> str:
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    return (await mortal.client.post("machineImages", document, Prefer="wait=30")).location


async def earlier(gateway: Gateway, job: str, by: timedelta) -> None:
    """As if the nested Jobs had ended so long ago."""
    parent = await gateway.store.get("jobs/" + job.rpartition("/")[2])
    assert parent is not None
    async with gateway.store.transaction() as transaction:
        for entry in parent.document["nestedJobs"]:
            nested = await transaction.get(entry["href"])
            assert nested is not None
            await transaction.update(nested.with_document(timeOfStatusChange=timestamp(datetime.now(UTC) - by)))


# From a package


async def test_the_delay_of_an_imported_package_is_obeyed(
    admin: ApiClient, images: Path, tmp_path: Path, gateway: Gateway
) -> None:
    told = STARTUP.replace('ovf:order="1"', 'ovf:order="1" ovf:startDelay="1800"')
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=told)))
    shop = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    job = await begun(admin, shop["id"])
    assert "waits 1800 s before the next, for the startDelay of Machine 'db'" in await waiting(gateway, job)
    await admin.act(job, "stop")


async def test_that_a_guest_is_not_waited_for_is_told(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    told = STARTUP.replace('ovf:order="1"', 'ovf:order="1" ovf:waitingForGuest="true"')
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=told)))
    shop = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    assert shop["properties"]["ovf.ignored"] == "waitingForGuest of 'db' (its startDelay is)"
