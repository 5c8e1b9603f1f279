"""Steps that write down what is done to them, and runners of such."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.errors import Conflict
from gateway.jobs.execution import Failure, JobTools
from gateway.jobs.plan import Ended, Plan, StepCall, StepContext, StepRegistry
from gateway.jobs.runner import JobLimits, JobRunner
from gateway.store.store import Store


class Recorded:
    """A step that writes down what was done to it; it may fail, or wait."""

    def __init__(self, name: str, done: list[str]) -> None:
        self.name = name
        self.done = done

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        self.done.append(f"run {self.name}")
        if arguments.get("fails"):
            raise Conflict("it cannot be")
        if arguments.get("unlocks"):
            await context.unlock()
        if arguments.get("waits"):
            while not await context.wait_stop(0.01):
                pass
            context.check()
        for share in arguments.get("moves", ()):
            await asyncio.sleep(0.3)
            context.progress(share, 100)
        context.progress(1, 1)

    async def undo(self, context: StepContext, arguments: dict[str, Any]) -> None:
        self.done.append(f"undo {self.name}")
        if arguments.get("sticks"):
            raise Conflict("it cannot be taken back")

    async def settle(self, context: StepContext, arguments: dict[str, Any], ended: Ended) -> None:
        await self.run(context, arguments)


def failure(error: BaseException) -> Failure:
    return Failure(getattr(error, "return_code", 10500), str(error))


def runner_of(store: Store, done: list[str], **rest: Any) -> JobRunner:
    registry = StepRegistry()
    for name in ("a", "b", "c", "settle"):
        registry.register(Recorded(name, done))
    return JobRunner(JobTools(store, registry, failure), JobLimits(**rest))


def plan(*calls: StepCall, **rest: Any) -> Plan:
    return Plan("add", "machines", "me", calls, settle=StepCall("settle"), **rest)


async def submitted(store: Store, runner: JobRunner, wanted: Plan) -> str:
    async with store.transaction() as transaction:
        return await runner.submit(transaction, wanted)
