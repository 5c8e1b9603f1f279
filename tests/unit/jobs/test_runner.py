"""Jobs: steps, undo, stop, progress, places, nesting, retention."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.clock import timestamp
from gateway.errors import Conflict
from gateway.jobs.execution import JobTools
from gateway.jobs.plan import StepCall, StepContext, StepRegistry
from gateway.jobs.records import new_job, unnest
from gateway.jobs.runner import JobLimits, JobRunner
from gateway.store.answered import Answered, recall, remember
from gateway.store.model import Document, Resource
from gateway.store.rules import Rule
from gateway.store.store import Store
from tests.patience import PATIENCE
from tests.unit.jobs.recorded import Recorded, failure, plan, runner_of, submitted


async def test_steps_run_in_order_and_the_job_succeeds(store: Store, runner: JobRunner, done: list[str]) -> None:
    job = await runner.wait(await submitted(store, runner, plan(StepCall("a"), StepCall("b"))), 5)
    assert done == ["run a", "run b", "run settle"]
    assert (job.state, job.document["progress"], job.document["returnCode"]) == ("SUCCESS", 100, 0)


async def test_a_failure_is_undone_in_reverse_and_says_why(store: Store, runner: JobRunner, done: list[str]) -> None:
    calls = (StepCall("a"), StepCall("b", {"fails": True}), StepCall("c"))
    job = await runner.wait(await submitted(store, runner, plan(*calls)), 5)
    assert done == ["run a", "run b", "undo b", "undo a", "run settle"]
    assert (job.state, job.document["returnCode"]) == ("FAILED", 10409)
    assert job.document["statusMessage"] == "it cannot be"


async def test_stop_ends_at_the_next_safe_point_and_undoes(store: Store, runner: JobRunner, done: list[str]) -> None:
    path = await submitted(store, runner, plan(StepCall("a"), StepCall("b", {"waits": True})))
    while "run b" not in done:
        await asyncio.sleep(0.01)
    await runner.stop(path, "enough")
    job = await runner.wait(path, PATIENCE)
    assert job.state == "STOPPED"
    assert done[-3:] == ["undo b", "undo a", "run settle"]
    with pytest.raises(Conflict):
        await runner.stop(path, "again")


async def test_one_that_sleeps_while_it_rests_has_no_more_places_afterwards(store: Store, done: list[str]) -> None:
    """Of the one place that there is, none is lost."""
    registry = StepRegistry()
    for step in (Dozing("doze", done), Recorded("a", done), Recorded("settle", done)):
        registry.register(step)
    runner = JobRunner(JobTools(store, registry, failure), JobLimits(workers=1))
    for name in ("doze", "doze", "a"):
        assert (await runner.wait(await submitted(store, runner, plan(StepCall(name))), 5)).state == "SUCCESS"


class Dozing(Recorded):
    """Sleeps where it only waits for others anyway."""

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        async with context.resting():
            assert not await context.wait_stop(0.01)


async def test_a_step_that_this_version_does_not_know_fails_the_job(store: Store, runner: JobRunner) -> None:
    job = await runner.wait(await submitted(store, runner, plan(StepCall("forgotten"))), 40)
    assert job.state == "FAILED"
    assert "forgotten" in job.document["statusMessage"]


async def test_a_nested_job_names_its_parent_and_is_listed_there(store: Store, runner: JobRunner) -> None:
    parent = await submitted(store, runner, plan(StepCall("a", {"waits": True})))
    child = await submitted(store, runner, plan(StepCall("b"), parent_job=parent))
    assert (await runner.wait(child, PATIENCE)).document["parentJob"] == {"href": parent}
    found = await store.get(parent)
    assert found is not None
    assert found.document["nestedJobs"] == [{"href": child}]
    await runner.stop(parent, "over")
    await runner.wait(parent, PATIENCE)


async def test_a_nested_job_that_is_gone_is_named_no_more(store: Store, runner: JobRunner) -> None:
    parent = await submitted(store, runner, plan(StepCall("a")))
    children = [await submitted(store, runner, plan(StepCall("b"), parent_job=parent)) for _ in range(2)]
    for path in (parent, *children):
        await runner.wait(path, PATIENCE)
    store.obey((Rule(unnest, "as in the gateway"),))
    async with store.transaction() as transaction:
        await transaction.delete(children[0])
    assert (await found(store, parent))["nestedJobs"] == [{"href": children[1]}]
    async with store.transaction() as transaction:
        await transaction.delete(parent)
    assert "parentJob" not in await found(store, children[1])


async def found(store: Store, path: str) -> Document:
    resource = await store.get(path)
    assert resource is not None
    return resource.document


async def test_finished_jobs_go_after_their_retention(store: Store, runner: JobRunner) -> None:
    path = await submitted(store, runner, plan(StepCall("a")))
    await runner.wait(path, PATIENCE)
    await runner.expire(datetime.now(UTC) - timedelta(minutes=1))
    assert await store.get(path) is not None
    await runner.expire(datetime.now(UTC) + timedelta(minutes=1))
    assert await store.get(path) is None


async def test_every_step_leaves_lines_in_the_jobs_log(store: Store, runner: JobRunner) -> None:
    path = await submitted(store, runner, plan(StepCall("a"), StepCall("b", {"fails": True})))
    await runner.wait(path, PATIENCE)
    lines = [(level, step, message) for _, _, level, step, message in await runner.lines(path)]
    assert lines == [
        ("info", "begin", "add machines by me"),
        ("info", "a", "begins"),
        ("info", "b", "begins"),
        ("error", "b", "it cannot be"),
        ("info", "b", "undone"),
        ("info", "a", "undone"),
        ("warning", "end", "FAILED: it cannot be"),
    ]


async def test_progress_moves_inside_a_long_step(store: Store, runner: JobRunner) -> None:
    seen: list[int] = []
    store.watch(lambda changes: seen.extend(job.document["progress"] for job in changes.values() if job))
    path = await submitted(store, runner, plan(StepCall("a", {"moves": [25, 50, 75]}), StepCall("b")))
    await runner.wait(path, PATIENCE)
    assert seen == sorted(seen)
    assert {12, 25, 37, 100} <= set(seen)


async def test_the_end_of_a_step_shows_while_the_next_takes_its_time(store: Store, runner: JobRunner) -> None:
    path = await submitted(store, runner, plan(StepCall("a"), StepCall("b", {"waits": True})))
    async with asyncio.timeout(PATIENCE):
        while (await runner.wait(path, 0)).document["progress"] != 50:
            await asyncio.sleep(0.01)
    await runner.stop(path, "enough")
    await runner.wait(path, PATIENCE)


async def test_only_the_position_and_the_log_of_a_job_do_not_wait_for_the_disk(store: Store, runner: JobRunner) -> None:
    said: list[str] = []
    await store._writer.set_trace_callback(said.append)
    path = await submitted(store, runner, plan(StepCall("a"), StepCall("b")))
    await runner.wait(path, PATIENCE)
    written: dict[str, set[str]] = {"FULL": set(), "NORMAL": set()}
    level = ""
    for statement in said:
        if statement.startswith("PRAGMA synchronous"):
            level = statement.rpartition(" ")[2]
        if found := re.match(r"(?:INSERT.* INTO|UPDATE|DELETE FROM) (plans|job_log|resources)", statement):
            written[level].add(found[1])
    assert written == {"FULL": {"resources", "plans", "job_log"}, "NORMAL": {"plans", "job_log"}}


async def test_a_job_that_only_waits_keeps_no_other_from_beginning(store: Store, done: list[str]) -> None:
    runner = runner_of(store, done, workers=1)
    waiting = await submitted(store, runner, plan(StepCall("a", {"waits": True})))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    other = await runner.wait(await submitted(store, runner, plan(StepCall("b"))), 5)
    assert other.state == "SUCCESS"
    await runner.stop(waiting, "enough")
    assert (await runner.wait(waiting, PATIENCE)).state == "STOPPED"


async def test_a_job_that_queues_for_a_place_can_be_stopped_at_once(store: Store, done: list[str]) -> None:
    runner = runner_of(store, done, workers=1)
    busy = await submitted(store, runner, plan(StepCall("a", {"moves": [1, 2, 3, 4, 5, 6, 7, 8]})))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    queued = await submitted(store, runner, plan(StepCall("b")))
    await runner.stop(queued, "enough")
    assert (await runner.wait(queued, PATIENCE)).state == "STOPPED"
    assert "run b" not in done
    assert (await runner.wait(busy, PATIENCE)).state == "SUCCESS"


async def test_what_could_not_be_undone_is_said_and_settled_as_left(
    store: Store, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.execution.UNDO_PAUSE", 0.001)
    calls = (StepCall("a", {"sticks": True}), StepCall("b", {"fails": True}))
    path = await submitted(store, runner, plan(*calls, affected=("machines/1",), drop_on_failure=("machines/1",)))
    job = await runner.wait(path, PATIENCE)
    assert job.state == "FAILED"
    assert "not all of it could be undone" in job.document["statusMessage"]
    assert {"href": "machines/1"} in job.document["affectedResources"]


async def test_finished_jobs_go_by_their_number_too_the_oldest_first(store: Store, done: list[str]) -> None:
    runner = runner_of(store, done, most_kept=2)
    paths = []
    for _ in range(4):
        paths.append(await submitted(store, runner, plan(StepCall("a"))))
        await runner.wait(paths[-1], PATIENCE)
        await asyncio.sleep(0.002)  # Times are kept to the millisecond.
    await runner.expire(datetime.now(UTC) - timedelta(days=1))
    assert [path for path in paths if await store.get(path)] == paths[2:]


async def test_a_job_that_could_not_settle_holds_nothing_when_it_has_ended(store: Store, runner: JobRunner) -> None:
    now = datetime.now(UTC)
    held = Resource("machines/1", "Machine", "me", {"name": "m", "state": "STARTING"}, now, now)
    async with store.transaction() as transaction:
        unsettled = replace(plan(StepCall("a"), locks=(held.path,)), settle=StepCall("settle", {"fails": True}))
        job = await runner.submit(transaction, unsettled)
        await transaction.insert(held.held(job))
    assert (await runner.wait(job, PATIENCE)).state == "SUCCESS"
    released = await store.get(held.path)
    assert released is not None
    assert released.held_by is None


async def ended_parts(store: Store, parent: str, number: int) -> list[str]:
    """Jobs that have ended, of a Job that has not; written as such."""
    begun = datetime.now(UTC) - timedelta(days=2)
    async with store.transaction() as transaction:
        jobs = [new_job(plan(parent_job=parent), "SUCCESS") for _ in range(number)]
        for job in jobs:
            await transaction.insert(
                replace(job, created=begun).with_document(timeOfStatusChange=timestamp(begun), progress=100)
            )
    return [job.path for job in jobs]


async def test_parts_of_a_job_at_work_keep_no_older_job_from_going(
    store: Store, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.runner.AT_ONCE", 2)
    working = await submitted(store, runner, plan(StepCall("a", {"waits": True})))
    parts = await ended_parts(store, working, 5)
    others = await ended_parts(store, "jobs/gone", 5)
    await runner.expire(datetime.now(UTC) - timedelta(days=1))
    assert [path for path in (*parts, *others) if await store.get(path)] == parts
    await runner.stop(working, "enough")
    await runner.wait(working, PATIENCE)


async def test_jobs_that_cannot_go_yet_let_the_next_ones_go_by_their_number(
    store: Store, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.runner.AT_ONCE", 2)
    runner = runner_of(store, done, most_kept=4)
    working = await submitted(store, runner, plan(StepCall("a", {"waits": True})))
    parts = await ended_parts(store, working, 3)
    others = await ended_parts(store, "jobs/gone", 3)
    await runner.expire(datetime.now(UTC) - timedelta(days=3))
    assert [path for path in (working, *parts, *others) if await store.get(path)] == [working, *parts]
    await runner.stop(working, "enough")
    await runner.wait(working, PATIENCE)


async def test_answers_to_requests_are_forgotten_when_no_job_goes_too(store: Store, runner: JobRunner) -> None:
    async with store.transaction() as transaction:
        await remember(transaction, "me", "key", "a", Answered("machines/1", "jobs/1", existing=False))
    await runner.expire(datetime.now(UTC) + timedelta(seconds=1))
    async with store.transaction() as transaction:
        assert await recall(transaction, "me", "key", "a") is None


async def test_a_job_that_took_long_is_kept_from_its_end_on(store: Store, runner: JobRunner) -> None:
    path = await submitted(store, runner, plan(StepCall("a", {"moves": [50]})))
    began = datetime.now(UTC)
    await runner.wait(path, PATIENCE)
    await runner.expire(began + timedelta(milliseconds=100))
    assert await store.get(path) is not None


class Nesting(Recorded):
    """Waits for a Job of its own, when it is run and when it is undone."""

    runner: JobRunner
    store: Store

    async def run(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._nested(context)
        if arguments.get("fails"):
            raise Conflict("it cannot be")

    async def undo(self, context: StepContext, arguments: dict[str, Any]) -> None:
        await self._nested(context)

    async def _nested(self, context: StepContext) -> None:
        async with context.resting():
            inner = await submitted(self.store, self.runner, plan(StepCall("a"), parent_job=context.job))
            self.done.append(str((await self.runner.wait(inner, PATIENCE)).state))


@pytest.mark.parametrize("fails", [False, True])
async def test_a_job_that_waits_for_its_own_nested_jobs_holds_no_worker_that_they_need(
    store: Store, done: list[str], fails: bool
) -> None:
    registry = StepRegistry()
    nesting = Nesting("nesting", done)
    for step in (Recorded("a", done), Recorded("settle", done), nesting):
        registry.register(step)
    nesting.runner = JobRunner(JobTools(store, registry, failure), JobLimits(workers=1))
    nesting.store = store
    path = await submitted(store, nesting.runner, plan(StepCall("nesting", {"fails": fails})))
    outer = await nesting.runner.wait(path, PATIENCE)
    assert outer.state == ("FAILED" if fails else "SUCCESS")
    assert done.count("SUCCESS") == (2 if fails else 1)
    assert len(outer.document["nestedJobs"]) == (2 if fails else 1)
