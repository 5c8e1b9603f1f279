"""Runs jobs: durably, under locks, with undo, and again after a crash (docs/design/jobs.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from drivers.supervision import Loop
from gateway import clock
from gateway.errors import Conflict, GatewayError, NoSpace, NotFound, Unavailable
from gateway.jobs.execution import Execution, Failure, JobTools
from gateway.jobs.journal import Line, beginning, ending, logger_of, recovery, step_begins
from gateway.jobs.plan import OnRestart, Plan
from gateway.jobs.queues import ResourceLocks, Unlock, Workers
from gateway.jobs.records import ended, ended_at, in_state, nest, new_job, plan_from_document, plan_to_document
from gateway.store.answered import forget_answered
from gateway.store.model import Query, Resource
from gateway.store.questions.jobs import LogLine, log_lines, plan_documents, unfinished_plans
from gateway.store.store import UNDER_WAY, Changes
from gateway.store.transaction import PlanRow, Transaction

MOST_ATTEMPTS = 5
"""How often a job is taken up again after crashes before it is given up."""

KEEP_EVERY = 30.0
AT_ONCE = 200
"""How many old jobs one transaction removes."""
AGAIN_AFTER = 5.0
"""Seconds until a job whose position could not be written (full disk) is taken up again."""
log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The number of Jobs that work at once, and for how long and how many of the ended ones are kept."""

    workers: int = 8
    retention: timedelta = timedelta(minutes=1440)
    most_kept: int = 100_000
    """Jobs in all, those that have not ended among them."""
    at_once: Callable[[str], int | None] = lambda _project: None
    """Says how many Jobs of a project work at once at most; None is as many as there are workers."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A Job that stands in the transaction which is under way, with the lines that its commit tells."""

    plan: Plan
    lines: tuple[Line, ...]
    over: bool
    """The Job ends with the transaction."""


class JobRunner:
    """The runner of Jobs.

    Jobs are submitted inside the caller's transaction, and begin with its commit, in the order of the commits.
    """

    def __init__(self, tools: JobTools, limits: JobLimits = JobLimits()) -> None:
        self._tools = tools
        self._store = tools.store
        self._limits = limits
        self._workers = Workers(limits.workers, limits.at_once)
        self._locks = ResourceLocks()
        self._accepted: dict[str, Accepted] = {}
        """The jobs of the transaction that is under way."""
        self._executions: dict[str, Execution] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended: dict[str, list[asyncio.Event]] = {}
        self._supervision = tools.supervision
        self._keeper: Loop | None = None
        self._draining = False
        self.active = 0
        """Jobs that have begun, and not ended."""
        tools.store.watch(self._notice, "Job")

    # Submitting

    async def submit(self, transaction: Transaction, plan: Plan) -> str:
        """Write the Job of a plan, which begins with the commit, and return the Job's path."""
        job = await transaction.insert(new_job(plan, "RUNNING"))
        await transaction.write_plan(PlanRow(job.path, plan_to_document(plan), "run", 0))
        await self._accept(transaction, plan, job.path, step_begins(plan))
        return job.path

    async def completed(self, transaction: Transaction, plan: Plan, message: str | None = None) -> str:
        """Write the ended Job of a change that this transaction makes by itself, and return the Job's path."""
        job = new_job(plan, "SUCCESS").with_document(progress=100, returnCode=0, statusMessage=message)
        gone = {*plan.drop_on_success}
        affected = [entry for entry in job.document["affectedResources"] if entry["href"] not in gone]
        return await self._ended_at_once(transaction, plan, job.with_document(affectedResources=affected))

    async def refused(self, transaction: Transaction, plan: Plan, failure: Failure) -> str:
        """Write the failed Job of a part of another one that could not even begin, and return the Job's path."""
        job = new_job(plan, "FAILED")
        failed = job.with_document(progress=100, returnCode=failure.code, statusMessage=failure.message)
        return await self._ended_at_once(transaction, plan, failed)

    async def _ended_at_once(self, transaction: Transaction, plan: Plan, job: Resource) -> str:
        await transaction.insert(job)
        end = ending(str(job.state), job.document.get("statusMessage"))
        await self._accept(transaction, plan, job.path, end, over=True)
        return job.path

    async def _accept(self, transaction: Transaction, plan: Plan, path: str, line: Line, *, over: bool = False) -> None:
        """Write the Job's first two lines, and keep them for the journal until the commit."""
        lines = (await beginning(transaction, plan), line)
        for entry in lines:
            await entry.write(transaction, path, plan.project)
        if plan.parent_job:
            await nest(transaction, plan.parent_job, path)
        self._accepted[path] = Accepted(plan, lines, over)

    def _begin(self, path: str, locks: tuple[str, ...]) -> None:
        if self._draining or path in self._tasks:
            return
        execution = Execution(path, self._tools)
        self._executions[path] = execution
        task = asyncio.create_task(self._run(execution, locks), name=path)
        self._tasks[path] = task
        task.add_done_callback(lambda _task: self._finished(path))

    def _finished(self, path: str) -> None:
        del self._tasks[path], self._executions[path]

    async def _run(self, execution: Execution, locks: tuple[str, ...]) -> None:
        """Queue for the locks before anything else is waited for, and hold them until the Job has ended.

        Jobs on one resource keep their order so. A Job that cannot write (full disk) is gone on with later.
        """
        UNDER_WAY.set(True)
        async with self._locks.hold(locks) as unlock:
            while not await self._tried(execution, unlock):  # noqa: ASYNC110 - nothing tells when the disk has room
                await asyncio.sleep(AGAIN_AFTER)

    async def _tried(self, execution: Execution, unlock: Unlock) -> bool:
        """Return whether the Job came to its end. The plan is read while others have the workers."""
        try:
            row = await execution.load()
            if row is not None:
                await self._worked(execution, row, unlock)
        except Exception as error:
            log.error("job interrupted, tried again soon", job=execution.job, error=repr(error))
            if not isinstance(error, GatewayError):
                self._supervision.surprise("jobs", error, job=execution.job)
            return False
        return True

    async def _worked(self, execution: Execution, row: PlanRow, unlock: Unlock) -> None:
        plan = plan_from_document(row.plan)
        async with self._workers.place(execution.stop, plan.project) as place:
            self.active += 1
            try:
                await execution.run(plan, row, place, unlock)
            finally:
                self.active -= 1

    @property
    def waiting(self) -> int:
        """The number of Jobs that wait for a lock or a worker."""
        return len(self._tasks) - self.active

    async def claimed(self) -> frozenset[str]:
        """Return the paths that Jobs which have not ended lock, or wait to lock."""
        documents = await plan_documents(self._store)
        free = {job for job, execution in self._executions.items() if execution.unlocked}
        plans = [plan_from_document(document) for job, document in documents.items() if job not in free]
        return frozenset(path for plan in plans for path in plan.locks)

    def hold(self, *paths: str) -> AbstractAsyncContextManager[Unlock]:
        """Keep Jobs away from these resources while the block runs; for short repairs which are no Job of anybody's."""
        return self._locks.hold(paths)

    # Waiting and stopping

    async def wait(self, path: str, seconds: float) -> Resource:
        """Return the Job once it has ended, or as it is after ``seconds``. Raises NotFound when there is none."""
        event = asyncio.Event()
        self._ended.setdefault(path, []).append(event)
        try:
            job = await self._job(path)
            if seconds <= 0 or ended(job):
                return job
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            self._ended[path].remove(event)
            if not self._ended[path]:
                del self._ended[path]
        return await self._job(path)

    async def _job(self, path: str) -> Resource:
        job = await self._store.get(path)
        if job is None:
            raise NotFound(f"there is no Job {path}")
        return job

    def _notice(self, changes: Changes) -> None:
        """Begin the Jobs that a commit has, and wake those who wait for Jobs that ended with it.

        A Job that was submitted and is not in the commit, was in a transaction that was given up.
        """
        accepted, self._accepted = self._accepted, {}
        for path, new in accepted.items():
            if path not in changes:
                continue
            for line in new.lines:
                line.tell(logger_of(path, new.plan))
            if not new.over:
                self._begin(path, new.plan.locks)
        for path, events in self._ended.items():
            if path in changes:
                job = changes[path]
                if job is None or ended(job):
                    for event in events:
                        event.set()

    async def stop(self, path: str, reason: str) -> None:
        """Ask the Job to stop: it undoes what it did at its next safe point.

        Raises NotFound when there is no such Job, and Conflict when it has ended.
        """
        async with self._store.transaction() as transaction:
            job = await transaction.get(path)
            if job is None:
                raise NotFound(f"there is no Job {path}")
            if ended(job):
                raise Conflict(f"the Job has ended already: {job.state}")
            if job.state != "STOPPING":
                await transaction.update(in_state(job, "STOPPING", statusMessage=reason))
        execution = self._executions.get(path)
        if execution is not None:
            execution.stop.set()

    # Start and end of the process

    async def recover(self) -> None:
        """Take up every job that did not end, in their order: before the API opens, not waiting for their end."""
        left = [row for row in await unfinished_plans(self._store) if row.job not in self._tasks]
        for row in left:
            try:
                await self._take_up(row)
            except (NoSpace, Unavailable) as error:
                # It is tried again as it is, until there is room to write.
                log.warning("an interrupted job could not be noted", job=row.job, reason=error.message)
        for row in left:
            self._begin(row.job, plan_from_document(row.plan).locks)

    async def _take_up(self, row: PlanRow) -> None:
        plan = plan_from_document(row.plan)
        phase = "undo" if plan.on_restart is OnRestart.UNDO and row.phase == "run" else row.phase
        if row.attempts + 1 >= MOST_ATTEMPTS and phase == "run":
            phase = "undo"
        line = recovery(phase)
        outcome = {"code": 10500, "message": "the gateway was stopped in the middle of it"} if phase == "undo" else None
        async with self._store.transaction() as transaction:
            await transaction.write_plan(
                replace(row, phase=phase, attempts=row.attempts + 1, outcome=row.outcome or outcome)
            )
            await line.write(transaction, row.job, plan.project)
        line.tell(logger_of(row.job, plan))

    def start(self) -> None:
        """Begin to remove old Jobs now and then."""
        self._keeper = self._supervision.keep("job retention", self._keep, KEEP_EVERY)

    async def _keep(self) -> None:
        try:
            await self.age()
        except GatewayError as error:
            log.warning("old jobs could not be removed", reason=error.message)

    async def age(self) -> None:
        """Remove the Jobs that are too old by now."""
        await self.expire(clock.ageing() - self._limits.retention)

    async def expire(self, before: datetime) -> None:
        """Remove the Jobs that ended before this time, and the oldest of those which are too many.

        Those that stay for now, as parts of a Job at work do, stand in nobody's way. No Job that began later than
        ``before`` has ended before, so that the others are not looked at.
        """
        surplus = (await self._store.page(Query("Job", last=1))).count - self._limits.most_kept
        old: list[str] = []
        async for job in self._store.every("Job"):
            if surplus <= 0 and job.created >= before:
                break
            if ended(job) and (surplus > 0 or ended_at(job) < before) and not await self._is_needed(job):
                surplus -= 1
                old.append(job.path)
            if len(old) == AT_ONCE:
                await self._remove(old)
                old = []
        await self._remove(old)
        async with self._store.transaction(durable=False) as transaction:
            await forget_answered(transaction, before)

    async def _remove(self, jobs: list[str]) -> None:
        if jobs:
            async with self._store.transaction() as transaction:
                for path in jobs:
                    await transaction.delete(path)

    async def _is_needed(self, job: Resource) -> bool:
        """Return whether a Job is a part of one that has not ended.

        To be gone on with, or taken back, that Job asks what its parts made.
        """
        parent = await self._store.get(job.document.get("parentJob", {}).get("href", ""))
        return parent is not None and not ended(parent)

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, and interrupt running steps, which the next start takes up again.

        Waits up to two seconds for Jobs to end by themselves, and then up to ``seconds`` for the interrupted ones.
        """
        self._draining = True
        if self._keeper is not None:
            await self._keeper.stop()
        tasks = list(self._tasks.values())
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=min(seconds, 2.0))
            for task in pending:
                task.cancel()
            if pending:
                await asyncio.wait(pending, timeout=seconds)

    async def lines(self, path: str, after: int = 0) -> list[LogLine]:
        """Return the Job's log after a line."""
        return await log_lines(self._store, path, after)
