"""An action on all Machines of a System, and on the Systems inside: in order, each by its own family's action."""

from __future__ import annotations

import math

from gateway import clock
from gateway.errors import Conflict, GatewayError
from gateway.jobs.plan import Plan, StopRequested
from gateway.jobs.records import ended_at
from gateway.orchestration.common.containment import MEMBERSHIPS, member_of, memberships
from gateway.orchestration.common.hosts import failure
from gateway.orchestration.machine_core.states import legal
from gateway.orchestration.systems.nested import (
    Failures,
    demand_success,
    end_of,
    nested_jobs,
    service_of,
    shares_done,
    together,
)
from gateway.orchestration.systems.order import DELAYS, delay_after, in_order
from gateway.orchestration.systems.states import BACKWARDS, actions_of
from gateway.orchestration.systems.step import SystemAt
from gateway.store.model import Document, Resource


class ComponentMover:
    """An action on one System's Machines. ``document`` is the checked Action document.

    The action may be run again after a crash: what a nested Job was begun for is not asked for twice.
    """

    def __init__(self, at: SystemAt, action: str, document: Document) -> None:
        self.room = at.room
        self.context = at.job
        self.system = at.system.path
        self.caller = at.caller
        self.action = action
        self.document = document
        self.failures = Failures()
        self._labels: dict[str, str] = {}
        self._jobs: dict[str, str] = {}

    async def run(self) -> None:
        """Move all that can be moved; then raise PartFailed when some of them failed."""
        begun = await nested_jobs(self.room, self.context.job)
        self._jobs.update({job.document["targetResource"]["href"]: job.path for job in begun})
        members = await self._members()
        groups = in_order(members, backwards=self.action in BACKWARDS)
        for number, group in enumerate(groups, 1):
            await together(self.context, [self._move(member) for member in group], self._progress)
            if number < len(groups):
                await self._linger(group)
        self.failures.demand_none(len(members))
        if not self._jobs:
            self.context.say("no Machine was there to do it")

    def _progress(self) -> None:
        whole = max(1, len(self._labels))
        self.context.progress(round(1000 * shares_done(self.room, self._jobs)), 1000 * whole)

    async def _members(self) -> list[Resource]:
        async with self.room.store.transaction() as transaction:
            entries = await memberships(transaction, self.system)
            moved = [entry for entry in entries if MEMBERSHIPS[entry.kind] in ("Machine", "System")]
            pairs = [(entry, await transaction.get(member_of(entry))) for entry in moved]
        for entry, member in pairs:
            if member is not None:
                name = entry.name or member.name
                self._labels[member.path] = f"{member.kind} {name!r} ({member.path})" if name else member.path
        return [member for _, member in pairs if member is not None]

    async def _linger(self, group: list[Resource]) -> None:
        """Wait the longest of the delays after those that have moved, each from when its own Job ended.

        The wait is as long as it has to be after a restart, too. A forced action waits for nothing.
        """
        if self.document.get("force"):
            return
        rests = [(await self._rest(member), self._labels[member.path]) for member in group]
        rest, label = max(rests)
        if rest > 0:
            word = DELAYS[self.action]
            await self.context.log(f"waits {math.ceil(rest)} s before the next, for the {word} of {label}")
            if await self.context.wait_stop(rest):
                raise StopRequested

    async def _rest(self, member: Resource) -> float:
        """Return the seconds that are left of the delay after a member; never more, whatever the clock says."""
        delay, job = delay_after(member, self.action), self._jobs.get(member.path)
        moved = await self.room.store.get(job) if delay and job is not None else None
        if moved is None or moved.state != "SUCCESS":
            return 0.0
        gone = (clock.now() - ended_at(moved)).total_seconds()
        return delay - max(0.0, gone)

    async def _move(self, member: Resource) -> None:
        label = self._labels[member.path]
        try:
            job = self._jobs.get(member.path) or await self._ask(member.path)
            if job is None:
                await self.context.log(f"{label} is left as it is")
                return
            self._jobs[member.path] = job
            await demand_success(self.room, job)
        except GatewayError as error:
            self.failures.add(label, error)

    async def _ask(self, path: str) -> str | None:
        """Return the nested Job; None when the member has nothing to do.

        Another Job that comes in between is waited for, once.
        """
        for attempt in (1, 2):
            member = await self.room.store.get(path)
            if member is None or self.action not in _possible(member):
                return None
            try:
                service = service_of(self.room, member.kind)
                return (await service.act(self.caller, path, self.action, self.document)).job
            except Conflict as error:
                if attempt == 2:
                    return await self._refused(path, error)
                held = (await self.room.store.get(path) or member).held_by
                if held is not None:
                    await end_of(self.room, held)
            except GatewayError as error:
                return await self._refused(path, error)
        return None

    async def _refused(self, path: str, error: GatewayError) -> str:
        """Return a failed nested Job, which tells of a member that could not even begin."""
        caller, parent = self.caller, self.context.job
        plan = Plan(self.action, path, caller.project, (), parent_job=parent, user=caller.user)
        async with self.room.store.transaction() as transaction:
            return await self.room.runner.refused(transaction, plan, failure(error))


def _possible(member: Resource) -> frozenset[str]:
    return legal(member.state).actions if member.kind == "Machine" else actions_of(member)
