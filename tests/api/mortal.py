"""A gateway that dies after a step, and comes back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, NoReturn

import aiohttp

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import ApiClient

COUNTED = ("systems", "machines", "volumes", "networks", "credentials")


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
        self.driver.state.listeners.clear()  # Of the gateway before.
        self.gateway = Gateway(self.settings, {self.driver.name: self.driver})
        self.steps, self.dies_after, self.dead = 0, dies_after, asyncio.Event()
        await self.gateway.start()
        runner = self.gateway.runner
        runner._tools = replace(runner._tools, after_step=self._after_step)

    def _after_step(self, _action: str, _step: str, _phase: str) -> None:
        self.steps += 1
        if self.steps == self.dies_after:
            self._die()

    def _die(self) -> NoReturn:
        def dead(*_arguments: Any, **_named: Any) -> NoReturn:
            raise Killed

        self.gateway.store.transaction = dead  # type: ignore[method-assign]
        self.driver.state.enter = dead  # type: ignore[method-assign]
        self.dead.set()
        self.deaths += 1
        raise Killed

    async def bury(self) -> None:
        """Take away what a dead process does not have any more."""
        for task in self.gateway.runner._tasks.values():
            task.cancel()
        await asyncio.sleep(0)
        await self.gateway.stop()
        del self.driver.state.enter

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


async def unfinished(mortal: Mortal) -> list[str]:
    """States of the Jobs that are none to stay."""
    listed = (await mortal.client.document("jobs?$filter=state='RUNNING'%20or%20state='STOPPING'")).get("jobs", [])
    return [job["state"] for job in listed]


async def again(mortal: Mortal, dies_after: int) -> None:
    await mortal.gateway.stop()
    await mortal.start(dies_after)
