"""The gateway dies after each step of a System's create and delete in turn, and comes back.

The process lives on here, so that all steps can be tried; what dies is everything that could act or write: the store,
the jobs, the calls to the hypervisor. tests/fault does it once with SIGKILL, over libvirt.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import aiohttp
import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.systems import machine, network, on, system, volume

COUNTED = ("systems", "machines", "volumes", "networks", "credentials")
MOST_STEPS = 120


class Lasting(dict[str, Any]):
    """Faults that happen every time."""

    def pop(self, key: str) -> Any:  # type: ignore[override]
        return self[key]


class Killed(BaseException):
    """In the place of SIGKILL."""


class Mortal:
    """A gateway that dies after its n-th step, the steps of nested Jobs and of undoing counted."""

    def __init__(self, settings: config.Settings, driver: MemoryDriver, session: aiohttp.ClientSession) -> None:
        self.settings = settings
        self.driver = driver
        self.client = ApiClient(session, f"http://{settings.server.listen}/cimi/")
        self.gateway: Gateway
        self.steps = 0
        self.dies_after = 0
        self.dead = asyncio.Event()
        self.deaths = 0

    async def start(self, dies_after: int = 0) -> None:
        self.driver.listeners.clear()  # Of the gateway before.
        self.gateway = Gateway(self.settings, {self.driver.name: self.driver})
        self.steps, self.dies_after, self.dead = 0, dies_after, asyncio.Event()
        await self.gateway.start()
        self.gateway.runner._after_step = self._after_step

    def _after_step(self, _action: str, _step: str, _phase: str) -> None:
        self.steps += 1
        if self.steps == self.dies_after:
            self._die()

    def _die(self) -> NoReturn:
        def dead(*_arguments: Any, **_named: Any) -> NoReturn:
            raise Killed

        self.gateway.store.transaction = dead  # type: ignore[method-assign]
        self.driver.enter = dead  # type: ignore[method-assign]
        self.dead.set()
        self.deaths += 1
        raise Killed

    async def bury(self) -> None:
        """Take away what a dead process does not have any more."""
        for task in self.gateway.runner._tasks.values():
            task.cancel()
        await asyncio.sleep(0)
        await self.gateway.stop()
        del self.driver.enter

    async def ended(self, job: str) -> dict[str, Any]:
        """The Job, with the gateway started again if it died over it."""
        ending = asyncio.ensure_future(self._wait(job))
        dying = asyncio.ensure_future(self.dead.wait())
        await asyncio.wait({ending, dying}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        dying.cancel()
        await asyncio.gather(ending, dying, return_exceptions=True)
        if self.dead.is_set():
            await self.bury()
            await self.start()
        return await self._wait(job)

    async def _wait(self, job: str) -> dict[str, Any]:
        return await self.client.ended(job)

    async def counts(self) -> dict[str, int]:
        return {name: (await self.client.document(name))["count"] for name in COUNTED}


@pytest.fixture
async def mortal(
    settings: config.Settings, driver: MemoryDriver, session: aiohttp.ClientSession
) -> AsyncIterator[Mortal]:
    made = Mortal(settings, driver, session)
    await made.start()
    yield made
    await made.gateway.stop()


@pytest.fixture
async def shop(mortal: Mortal, images: Any) -> dict[str, Any]:
    """Three Machines, each with a Volume, on one network."""
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    image = (await mortal.client.post("machineImages", document, Prefer="wait=30")).location
    web = machine(image, quantity=3, networkInterfaces=on("front"), volumes=[{"href": "#data"}])
    return system(web, volume(quantity=3), network())


async def begun(mortal: Mortal, shop: dict[str, Any]) -> tuple[str, str]:
    """URLs of a System that is being made, and of its Job."""
    answer = await mortal.client.post("systems", shop, Prefer="respond-async")
    assert answer.status == 202, answer.text
    return answer.location, answer.job


def left(driver: MemoryDriver) -> list[str]:
    """What the hypervisor has beside the image and the host's network."""
    disks = [name for _, name in driver.stored if not name.startswith("cimi-image-")]
    networks = [name for name in driver.known_networks if name != "default"]
    return [*driver.known, *disks, *networks, *driver.known_filters]


NOTHING = {"systems": 0, "machines": 0, "volumes": 0, "networks": 1, "credentials": 0}
WHOLE = {"systems": 1, "machines": 3, "volumes": 3, "networks": 2, "credentials": 0}


async def unfinished(mortal: Mortal) -> list[str]:
    """States of the Jobs that are none to stay."""
    listed = (await mortal.client.document("jobs?$filter=state='RUNNING'%20or%20state='STOPPING'")).get("jobs", [])
    return [job["state"] for job in listed]


async def again(mortal: Mortal, dies_after: int) -> None:
    await mortal.gateway.stop()
    await mortal.start(dies_after)


@pytest.mark.timeout(300)
async def test_a_create_killed_after_any_step_makes_the_whole_system_once(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    for number in range(1, MOST_STEPS):
        await again(mortal, number)
        url, job = await begun(mortal, shop)
        ended = await mortal.ended(job)
        assert (ended["state"], await mortal.counts()) == ("SUCCESS", WHOLE), number
        assert (await mortal.client.document(url))["state"] == "STARTED"
        mortal.dies_after = 0
        assert (await mortal.client.delete(url, Prefer="wait=30")).status == 200
        assert (await mortal.counts(), left(driver)) == (NOTHING, []), number
        if mortal.deaths < number:
            break
    assert mortal.deaths > 30
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
async def test_a_delete_killed_after_any_step_is_finished(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    for number in range(1, MOST_STEPS):
        await again(mortal, 0)
        url, job = await begun(mortal, shop)
        await mortal.ended(job)
        mortal.steps, mortal.dies_after = 0, number
        answer = await mortal.client.delete(url, Prefer="respond-async")
        assert answer.status == 202, answer.text
        ended = await mortal.ended(answer.job)
        assert (ended["state"], await mortal.counts(), left(driver)) == ("SUCCESS", NOTHING, []), number
        if mortal.deaths < number:
            break
    assert mortal.deaths > 20
    assert await unfinished(mortal) == []


@pytest.mark.timeout(300)
async def test_a_failing_create_killed_after_every_third_step_leaves_nothing(
    mortal: Mortal, shop: dict[str, Any], driver: MemoryDriver
) -> None:
    driver.faults = Lasting(start_domain=DriverFailed("no more memory"))
    for number in range(2, MOST_STEPS, 3):
        before = mortal.deaths
        await again(mortal, number)
        _, job = await begun(mortal, shop)
        ended = await mortal.ended(job)
        assert (ended["state"], "no more memory" in ended["statusMessage"]) == ("FAILED", True), number
        assert (await mortal.counts(), left(driver)) == (NOTHING, []), number
        if mortal.deaths == before:
            break
    assert mortal.deaths > 10
    assert await unfinished(mortal) == []
