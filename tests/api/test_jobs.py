"""Jobs through the API: followed, stopped, removed (DSP0263 5.20)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.operations import verbs


@pytest.fixture
async def gate(driver: MemoryDriver) -> AsyncIterator[asyncio.Event]:
    """Holds each definition of a domain until it is set."""
    opened, defining = asyncio.Event(), driver.domains.define

    async def held(spec: object) -> None:
        await opened.wait()
        await defining(spec)  # type: ignore[arg-type]

    driver.domains.define = held  # type: ignore[method-assign]
    yield opened
    opened.set()


async def create(admin: ApiClient, image: str) -> tuple[str, str]:
    """A create that is held half way: the Machine and the Job."""
    answer = await admin.post("machines", admin.machine(image), Prefer="respond-async")
    return answer.location, answer.job


async def test_a_running_job_names_what_it_works_on_and_how_far_it_is(
    admin: ApiClient, image: str, gate: asyncio.Event
) -> None:
    machine, url = await create(admin, image)
    job = await admin.document(url)
    while not job["progress"]:
        job = await admin.document(url)
    assert job["state"] == "RUNNING"
    assert 0 < job["progress"] < 100
    assert machine in {entry["href"] for entry in job["affectedResources"]}


async def test_stopping_a_create_undoes_it(
    admin: ApiClient, image: str, driver: MemoryDriver, gate: asyncio.Event
) -> None:
    machine, url = await create(admin, image)
    assert "stop" in await verbs(admin, url)
    assert (await admin.act(url, "stop")).status == 202
    assert (await admin.document(url))["state"] == "STOPPING"
    gate.set()
    assert (await admin.ended(url))["state"] == "STOPPED"
    assert (await admin.get(machine)).status == 404
    assert driver.state.domains == {}
    assert [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")] == []


async def test_a_job_that_has_ended_offers_no_stop_and_refuses_it(admin: ApiClient, machine: str) -> None:
    url = (await admin.act(machine, "stop")).job
    await admin.ended(url)
    assert "stop" not in await verbs(admin, url)
    assert (await admin.act(url, "stop")).status == 409


async def test_others_jobs_are_not_there(admin: ApiClient, machine: str, client: Callable[..., ApiClient]) -> None:
    url = (await admin.act(machine, "stop")).job
    assert (await client("other").get(url)).status == 404
    assert (await client("other").act(url, "stop")).status == 404


async def test_a_job_that_has_ended_can_be_removed(admin: ApiClient, machine: str) -> None:
    url = (await admin.act(machine, "stop")).job
    await admin.ended(url)
    assert (await admin.delete(url)).status == 200
    assert (await admin.get(url)).status == 404
