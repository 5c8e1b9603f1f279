"""A run of a job: forward through its steps, or back through their undos, each position in the store.

A running step has the means of ``RunningStep``: progress, log, safe points.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog

from drivers.supervision import Supervision
from gateway.errors import Conflict, GatewayError, NoSpace, Unavailable
from gateway.jobs.crash import AfterStep
from gateway.jobs.journal import Line, ending, logger_of, step_begins
from gateway.jobs.plan import Ended, Plan, StepCall, StepRegistry, StopRequested, UnknownStepError
from gateway.jobs.queues import Place, Unlock
from gateway.jobs.records import in_state
from gateway.store.model import Resource
from gateway.store.questions.jobs import plan_of
from gateway.store.sealing import holds_sealed
from gateway.store.store import Store
from gateway.store.transaction import PROMISER, PlanRow, Transaction

log = structlog.get_logger("jobs")
WRITE_EVERY = 0.25
"""Seconds between two writes of the progress."""
SHOWN_AFTER = 0.2
"""Seconds after which the end of a step shows in the progress: of quick steps one after another only the last does."""
UNDO_TRIES = 5
UNDO_PAUSE = 1.0
"""Seconds between the first two tries, doubled from there."""


class Log(Protocol):
    """A function that adds a line to a Job's log, with its level and the step that it is about."""

    async def __call__(self, level: str, step: str, message: str, /, *, durable: bool = False) -> None:
        """Add the line."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """The things that a Job lends a step: where the progress goes, the worker's place, and the locks."""

    moved: Callable[[float], None] = lambda _share: None
    """Takes the share of the step that is done, from 0 to 1."""
    place: Place | None = None
    unlock: Unlock | None = None
    undoing: bool = False
    """An undo keeps the worker's place while it waits."""


class RunningStep:
    """The StepContext of a step of a Job."""

    def __init__(self, job: str, step: str, stop: asyncio.Event, log: Log, means: Means = Means()) -> None:
        self.job = job
        self.step = step
        self.message: str | None = None
        self._stop = stop
        self._place = means.place
        self._unlock = means.unlock
        self._undoing = means.undoing
        self._log = log
        self._moved = means.moved
        self._written = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Show how far the step is, if the last showing was some time ago and the step is not done."""
        now = time.monotonic()
        if now - self._written >= WRITE_EVERY and done < total:
            self._written = now
            self._moved(min(1.0, done / total) if total > 0 else 1.0)

    async def log(self, message: str, level: str = "info", *, durable: bool = False) -> None:
        """Add a line to the Job's log; a durable one is on disk afterwards."""
        await self._log(level, self.step, message, durable=durable)

    def check(self) -> None:
        """Raise StopRequested when the Job is to stop."""
        if self._stop.is_set():
            raise StopRequested

    async def wait_stop(self, seconds: float) -> bool:
        """Sleep for some seconds, and return True at once when the Job is to stop.

        The worker's place is given to another Job meanwhile, but for an undo.
        """
        if self._place is not None and not self._undoing:
            return await self._place.rest(seconds)
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def resting(self) -> AbstractAsyncContextManager[None]:
        """Return a block in which another Job may have the worker's place."""
        return self._place.resting() if self._place is not None else nullcontext()

    async def unlock(self) -> None:
        """Let the plan's locks go."""
        if self._unlock is not None:
            await self._unlock()

    def say(self, message: str) -> None:
        """Set the statusMessage which the Job will have when it succeeds."""
        self.message = message


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a Job failed: return code (10000 plus the HTTP status) and words for people."""

    code: int
    message: str


@dataclass(frozen=True, slots=True)
class JobTools:
    """The parts of the program that Jobs are run with."""

    store: Store
    steps: StepRegistry
    failure: Callable[[BaseException], Failure]
    """Says of an error what the Job that ends by it shows."""
    after_step: AfterStep | None = None
    supervision: Supervision = field(default_factory=Supervision)


class Execution:
    """A run of a Job, from the position that its plan has reached to the Job's end."""

    def __init__(self, job: str, tools: JobTools) -> None:
        self.job = job
        self.stop = asyncio.Event()
        self.unlocked = False
        """The plan's locks were let go before its end."""
        self._store = tools.store
        self._steps = tools.steps
        self._failure = tools.failure
        self._after_step = tools.after_step
        self._supervision = tools.supervision
        self._showing: asyncio.TimerHandle | None = None
        self._message: str | None = None
        self._settled = True
        """False when settling failed: what it should have released is still held."""
        self._writes: set[asyncio.Task[None]] = set()
        self._place: Place | None = None
        self._unlock: Unlock
        self._logger = log.bind(job=job)
        self._project: str | None = None

    async def load(self) -> PlanRow | None:
        """Return the Job's plan as the store has it now; None when the Job has ended."""
        return await plan_of(self._store, self.job)

    async def run(self, plan: Plan, row: PlanRow, place: Place, unlock: Unlock) -> None:
        """Run the steps, and undo them when one fails or the Job is stopped; then settle and write the end."""
        self._place, self._unlock = place, unlock
        self._logger, self._project = logger_of(self.job, plan), plan.project
        if (await self._current()).state == "STOPPING":
            self.stop.set()
        # What is undone, and what is so, is refused for no quota.
        PROMISER.set((plan.user or plan.project) if row.phase == "run" else None)
        try:
            if row.phase == "run":
                row = await self._forward(plan, row)
        finally:
            # Settling is quick, and one more write for each job is not worth what it shows.
            self._show_no_more()
            PROMISER.set(None)
        if row.phase == "undo":
            row = await self._back(plan, row)
        await self._settle(plan, row)
        await self._end(plan, row)

    async def _forward(self, plan: Plan, row: PlanRow) -> PlanRow:
        """Run the steps from the plan's position on, and return what comes after them: settling or the undos.

        Between two steps stands one transaction: the position, and the next step's line in the log.
        """
        for position in range(row.position, len(plan.steps)):
            call = plan.steps[position]
            try:
                await self._step(plan, replace(row, position=position), call)
            except StopRequested:
                return await self._write(replace(row, phase="undo", position=position, outcome={"stopped": True}))
            except Exception as error:
                failure = self._failure(error)
                await self._log("error", call.step, failure.message)
                outcome = {"code": failure.code, "message": failure.message}
                return await self._write(replace(row, phase="undo", position=position, outcome=outcome))
            self._after(plan, call, "run")
            row = await self._advance(plan, replace(row, position=position + 1, attempts=0))
        return replace(row, phase="settle")

    async def _advance(self, plan: Plan, row: PlanRow) -> PlanRow:
        last = row.position == len(plan.steps)
        row = replace(row, phase="settle") if last else row
        line = None if last else step_begins(plan, row.position)
        async with self._store.transaction(durable=False) as transaction:
            await transaction.write_plan(row)
            if line is not None:
                await line.write(transaction, self.job, self._project)
        if line is not None:
            line.tell(self._logger)
        self._soon(_share(plan, row.position, 0.0))
        return row

    async def _step(self, plan: Plan, row: PlanRow, call: StepCall) -> None:
        if self._place is not None:
            await self._place.turn()
        if self.stop.is_set():
            raise StopRequested

        def moved(share: float) -> None:
            self._moved(_share(plan, row.position, share))

        means = Means(moved, self._place, self._let_go)
        context = RunningStep(self.job, call.step, self.stop, self._log, means)
        if row.unopened and holds_sealed(call.arguments):
            raise Conflict("its plan has a secret that cannot be read: the store's key was another one when it began")
        await self._steps[call.step].run(context, call.arguments)
        self._message = context.message or self._message

    async def _let_go(self) -> None:
        self.unlocked = True
        await self._unlock()

    def _after(self, plan: Plan, call: StepCall, phase: str) -> None:
        if self._after_step is not None:
            self._after_step(plan.action, call.step, phase)

    async def _back(self, plan: Plan, row: PlanRow) -> PlanRow:
        """Undo the interrupted step and all before it, last first."""
        for position in range(min(row.position, len(plan.steps) - 1), -1, -1):
            call = plan.steps[position]
            undone = await self._undo(call)
            self._after(plan, call, "undo")
            outcome = row.outcome if undone else {**(row.outcome or {}), "left": True}
            row = await self._write(replace(row, position=position - 1, outcome=outcome))
        return await self._write(replace(row, phase="settle"))

    async def _undo(self, call: StepCall) -> bool:
        """Try for a while: what cannot be undone now is told in the log, and does not stop the rest."""
        stop = asyncio.Event()
        context = RunningStep(self.job, call.step, stop, self._log, Means(place=self._place, undoing=True))
        for attempt in range(1, UNDO_TRIES + 1):
            try:
                await self._steps[call.step].undo(context, call.arguments)
                await self._log("info", call.step, "undone")
                return True
            except UnknownStepError as error:
                await self._log("error", call.step, f"cannot be undone: {error.message}")
                return False
            except Exception as error:
                await self._log("error", call.step, f"undo failed: {self._failure(error).message}")
                await asyncio.sleep(min(2**attempt, 20) * UNDO_PAUSE if attempt < UNDO_TRIES else 0)
        return False

    async def _settle(self, plan: Plan, row: PlanRow) -> None:
        if plan.settle is None:
            return
        context = RunningStep(self.job, plan.settle.step, asyncio.Event(), self._log)
        ended = Ended(succeeded=not row.outcome, left=_left(row))
        try:
            await self._steps[plan.settle.step].settle(context, plan.settle.arguments, ended)
        except (NoSpace, Unavailable):
            # The store does not take it: the job is taken up again from here, its resources stay held until then.
            raise
        except Exception as error:
            self._settled = False
            await self._log("error", plan.settle.step, self._failure(error).message)
        self._after(plan, plan.settle, "run")

    async def _end(self, plan: Plan, row: PlanRow) -> None:
        for write in list(self._writes):
            await write
        state, attributes = self._outcome(row.outcome)
        gone = set(plan.drop_on_success if state == "SUCCESS" else () if _left(row) else plan.drop_on_failure)
        line = ending(state, attributes["statusMessage"])
        async with self._store.transaction() as transaction:
            await line.write(transaction, self.job, self._project)
            job = await transaction.get(self.job)
            await transaction.drop_plan(self.job)
            if job is None:
                return
            if not self._settled:
                await self._release(transaction, plan)
            affected = [entry for entry in job.document["affectedResources"] if entry["href"] not in gone]
            job = in_state(job, state, progress=100, affectedResources=affected, **attributes)
            await transaction.update(job)
        line.tell(self._logger)

    async def _release(self, transaction: Transaction, plan: Plan) -> None:
        """Release what is still held, since settling failed: a Job that has ended holds nothing."""
        for path in dict.fromkeys((plan.target, *plan.affected, *plan.locks)):
            held = await transaction.get(path) if "/" in path else None
            if held is not None and held.held_by == self.job:
                await transaction.update(held.released())

    def _outcome(self, outcome: dict[str, Any] | None) -> tuple[str, dict[str, Any]]:
        if not outcome:
            return "SUCCESS", {"returnCode": 0, "statusMessage": self._message}
        left = "; not all of it could be undone, see the job's log" if outcome.get("left") else ""
        if outcome.get("stopped"):
            message = "stopped on request" + (left or "; what was done is undone")
            return "STOPPED", {"returnCode": 10409, "statusMessage": message}
        return "FAILED", {"returnCode": outcome["code"], "statusMessage": outcome["message"] + left}

    # What goes to disk

    async def _write(self, row: PlanRow) -> PlanRow:
        async with self._store.transaction() as transaction:
            await transaction.write_plan(row)
        return row

    async def _current(self) -> Resource:
        job = await self._store.get(self.job)
        if job is None:
            raise GatewayError(f"{self.job} has no record")
        return job

    async def _log(self, level: str, step: str, message: str, *, durable: bool = False) -> None:
        line = Line(level, step, message)
        line.tell(self._logger)
        async with self._store.transaction(durable=durable) as transaction:
            await line.write(transaction, self.job, self._project)

    def _soon(self, progress: int) -> None:
        self._show_no_more()
        self._showing = asyncio.get_running_loop().call_later(SHOWN_AFTER, self._moved, progress)

    def _show_no_more(self) -> None:
        if self._showing is not None:
            self._showing.cancel()

    def _moved(self, progress: int) -> None:
        task = self._supervision.react("progress of jobs", self._write_progress(progress))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write_progress(self, progress: int) -> None:
        """Write the progress; what a full disk keeps from being written is shown with the next step."""
        with suppress(GatewayError):
            await self._keep_progress(progress)

    async def _keep_progress(self, progress: int) -> None:
        async with self._store.transaction(durable=False) as transaction:
            await self._set_progress(transaction, progress)

    async def _set_progress(self, transaction: Transaction, progress: int) -> None:
        job = await transaction.get(self.job)
        if job is not None and job.state == "RUNNING" and progress > job.document.get("progress", 0):
            await transaction.update(job.with_document(progress=progress))


def _left(row: PlanRow) -> bool:
    """Return whether something that a step made could not be undone."""
    return bool((row.outcome or {}).get("left"))


def _share(plan: Plan, position: int, share: float) -> int:
    """Return the per cent of the whole that is done, when this share of the step at the position is."""
    weights = [step.weight for step in plan.steps]
    done = sum(weights[:position]) + (share * weights[position] if position < len(weights) else 0)
    return min(99, int(100 * done / max(1, sum(weights))))
