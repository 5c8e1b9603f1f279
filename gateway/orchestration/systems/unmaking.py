"""Removes what a System made, by the families' own deletes; what it does not own stays."""

from __future__ import annotations

import asyncio

from gateway.errors import Conflict, GatewayError, NotFound
from gateway.orchestration.common.containment import MEMBERSHIPS, member_of
from gateway.orchestration.systems.nested import (
    LOOK_EVERY,
    Failures,
    demand_success,
    end_of,
    service_of,
    shares_done,
)
from gateway.orchestration.systems.removal import owned
from gateway.orchestration.systems.step import SystemAt
from gateway.store.model import Resource

TRIES = 3
"""How often a delete is asked for while something else still holds the component."""


class ComponentRemover:
    """The removal of one System's components.

    The removal may be run again after a crash: what is gone is gone, and what was begun is waited for.
    """

    def __init__(self, at: SystemAt) -> None:
        self.room = at.room
        self.context = at.job
        self.system = at.system.path
        self.caller = at.caller
        self.failures = Failures()
        self._jobs: dict[str, str] = {}
        self._whole = 1

    async def run(self) -> None:
        """Remove everything that can go; then raise PartFailed when something could not."""
        async with self.room.store.transaction() as transaction:
            groups = await owned(transaction, self.system)
        self._whole = sum(len(group) for group in groups)
        for group in groups:
            tasks = [asyncio.ensure_future(self._remove(entry)) for entry in group]
            await self._all(tasks)
        self.failures.demand_none(self._whole)

    async def _all(self, tasks: list[asyncio.Task[None]]) -> None:
        try:
            while tasks and (await asyncio.wait(tasks, timeout=LOOK_EVERY))[1]:
                self.context.progress(round(1000 * shares_done(self.room, self._jobs)), 1000 * self._whole)
                self.context.check()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _remove(self, entry: Resource) -> None:
        path, kind = member_of(entry), MEMBERSHIPS[entry.kind]
        label = f"{kind} {entry.name!r} ({path})" if entry.name else f"{kind} {path}"
        try:
            await self._delete(path, kind)
        except GatewayError as error:
            await self.context.log(f"{label} could not be removed: {error.message}", "error")
            self.failures.add(label, error)

    async def _delete(self, path: str, kind: str) -> None:
        for attempt in range(TRIES):
            member = await self.room.store.get(path)
            if member is None:
                return
            try:
                outcome = await service_of(self.room, kind).delete(self.caller, path, None)
            except NotFound:
                return
            except Conflict:
                if member.held_by is None or attempt == TRIES - 1:
                    raise
                await end_of(self.room, member.held_by)
                continue
            self._jobs[path] = outcome.job
            await demand_success(self.room, outcome.job)
        if await self.room.store.get(path) is not None:
            raise Conflict("it is still there")
