"""``Prefer: wait=N`` at a Job and at an action: the answer comes when the Job has ended (RFC 7240)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.client import Answer, ApiClient

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]


@pytest.fixture
async def gate(driver: MemoryDriver) -> AsyncIterator[asyncio.Event]:
    """Holds each pause of a domain until it is set."""
    opened, pausing = asyncio.Event(), driver.domains.pause

    async def held(uuid: str) -> None:
        await opened.wait()
        await pausing(uuid)

    driver.domains.pause = held  # type: ignore[method-assign]
    yield opened
    opened.set()


@pytest.fixture
async def running(admin: ApiClient, machine: str, gate: asyncio.Event) -> str:
    """A Job that ends when the gate is opened."""
    return (await admin.act(machine, "pause")).job


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_read_of_a_job_is_answered_when_the_job_has_ended(
    client: Clients, running: str, gate: asyncio.Event, media: str
) -> None:
    reading = asyncio.create_task(client("admin", media).get(running, Prefer="wait=60"))
    done, _ = await asyncio.wait([reading], timeout=0.2)
    assert not done
    gate.set()
    answer = await reading
    assert (answer.status, answer.headers["preference-applied"]) == (200, "wait=60")
    assert state(answer, media) == "SUCCESS"


def state(answer: Answer, media: str) -> str:
    if media == "json":
        return str(answer.json["state"])
    return answer.xml.findtext("{http://schemas.dmtf.org/cimi/1}state") or ""


async def test_a_read_that_prefers_to_wait_waits_also_when_others_have_just_read(
    admin: ApiClient, running: str, gate: asyncio.Event
) -> None:
    """Reads are answered from memory; this one must not be."""
    for _ in range(3):
        await admin.get(running, Prefer="wait=0")
    reading = asyncio.create_task(admin.get(running, Prefer="wait=60"))
    done, _ = await asyncio.wait([reading], timeout=0.2)
    assert not done
    gate.set()
    assert (await reading).json["state"] == "SUCCESS"


async def test_a_read_is_answered_as_it_is_when_the_time_is_over(admin: ApiClient, running: str) -> None:
    answer = await admin.get(running, Prefer="wait=0")
    assert (answer.json["state"], answer.headers["preference-applied"]) == ("RUNNING", "wait=0")


async def test_a_read_without_the_wish_is_answered_at_once(admin: ApiClient, running: str) -> None:
    answer = await admin.get(running)
    assert answer.json["state"] == "RUNNING"
    assert "preference-applied" not in answer.headers


async def test_a_read_of_something_else_heeds_no_wish(admin: ApiClient, machine: str) -> None:
    assert "preference-applied" not in (await admin.get(machine, Prefer="wait=60")).headers


async def test_others_do_not_learn_of_a_job_by_waiting_for_it(client: Clients, running: str) -> None:
    assert (await client("other").get(running, Prefer="wait=60")).status == 404


async def test_a_job_that_is_removed_while_somebody_waits_is_404(
    admin: ApiClient, running: str, gate: asyncio.Event
) -> None:
    reading = asyncio.create_task(admin.get(running, Prefer="wait=60"))
    done, _ = await asyncio.wait([reading], timeout=0.2)
    assert not done
    removing = asyncio.create_task(admin.delete(running))
    gate.set()
    assert (await removing).status == 200
    assert (await reading).status in (200, 404)


# Actions


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_action_is_answered_200_with_its_ended_job(client: Clients, machine: str, media: str) -> None:
    either = client("admin", media)
    answer = await client("admin").post(
        f"{machine}/stop", {"force": True}, Prefer="wait=60", Accept=f"application/{media}"
    )
    assert (answer.status, answer.headers["preference-applied"]) == (200, "wait=60")
    assert state(answer, media) == "SUCCESS"
    assert state(await either.get(machine), media) == "STOPPED"


async def test_an_action_that_fails_has_the_status_of_its_failure(
    admin: ApiClient, machine: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.pause", DriverFailed("the hypervisor does not want to"))
    answer = await admin.post(f"{machine}/pause", {}, Prefer="wait=60")
    assert answer.status == answer.json["returnCode"] - 10000 >= 500
    assert answer.json["state"] == "FAILED"
    assert "does not want to" in answer.message


async def test_an_action_that_takes_longer_is_answered_202(admin: ApiClient, machine: str, gate: asyncio.Event) -> None:
    answer = await admin.post(f"{machine}/pause", {}, Prefer="wait=1")
    assert (answer.status, answer.headers["preference-applied"]) == (202, "wait=1")
    assert answer.json["state"] == "RUNNING"


async def test_an_action_without_the_wish_is_answered_202_at_once(
    admin: ApiClient, machine: str, gate: asyncio.Event
) -> None:
    for headers in ({}, {"Prefer": "respond-async"}):
        gate.clear()
        answer = await admin.post(f"{machine}/pause", {}, **headers)
        assert answer.status == 202
        gate.set()
        await admin.ended(answer.job)
        await admin.acted(machine, "start")
