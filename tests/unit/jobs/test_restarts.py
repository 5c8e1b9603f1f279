"""What becomes of jobs that did not end."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import NoSpace
from gateway.jobs.plan import OnRestart, StepCall
from gateway.jobs.runner import JobRunner
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from tests.patience import PATIENCE
from tests.unit.jobs.recorded import plan, runner_of, submitted


async def test_an_interrupted_job_is_resumed_at_the_step_it_was_in(store: Store, done: list[str]) -> None:
    before = runner_of(store, done)
    path = await submitted(store, before, plan(StepCall("a"), StepCall("b", {"waits": True}), StepCall("c")))
    while "run b" not in done:
        await asyncio.sleep(0.01)
    before._tasks[path].cancel()
    await asyncio.sleep(0.05)
    done.clear()
    after = runner_of(store, done)
    await after.recover()
    while "run b" not in done:
        await asyncio.sleep(0.01)
    assert "run a" not in done
    await after.stop(path, "the test is over")
    assert (await after.wait(path, 5)).state == "STOPPED"


async def test_a_job_that_is_to_be_undone_after_a_crash_is_undone(store: Store, done: list[str]) -> None:
    before = runner_of(store, done)
    calls = (StepCall("a"), StepCall("b", {"waits": True}))
    path = await submitted(store, before, plan(*calls, on_restart=OnRestart.UNDO))
    while "run b" not in done:
        await asyncio.sleep(0.01)
    before._tasks[path].cancel()
    await asyncio.sleep(0.05)
    done.clear()
    after = runner_of(store, done)
    await after.recover()
    job = await after.wait(path, 5)
    assert job.state == "FAILED"
    assert done == ["undo b", "undo a", "run settle"]


async def test_only_crashes_in_the_same_step_count_against_a_job(store: Store, done: list[str]) -> None:
    before = runner_of(store, done)
    before._draining = True
    path = await submitted(store, before, plan(StepCall("a"), StepCall("b", {"waits": True})))
    after = runner_of(store, done)
    await after.recover()
    while "run b" not in done:
        await asyncio.sleep(0.01)
    assert await store.fetch("SELECT position, attempts FROM plans WHERE job = ?", (path,)) == [(1, 0)]
    await after.stop(path, "enough")
    await after.wait(path, 5)


async def test_jobs_that_waited_begin_in_their_order_after_a_restart(store: Store, done: list[str]) -> None:
    before = runner_of(store, done)
    calls = [StepCall("a"), StepCall("b"), StepCall("c")] * 4
    before._draining = True
    paths = [await submitted(store, before, plan(call, locks=("machines/1",))) for call in calls]
    after = runner_of(store, done)
    await after.recover()
    for path in paths:
        assert (await after.wait(path, 5)).state == "SUCCESS"
    assert [entry for entry in done if entry != "run settle"] == ["run a", "run b", "run c"] * 4


async def test_an_interrupted_job_goes_on_though_the_disk_is_too_full_to_note_it(
    store: Store, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = runner_of(store, done)
    before._draining = True
    path = await submitted(store, before, plan(StepCall("a")))
    write = Transaction.write_log

    async def full(self: Transaction, job: str, project: str | None, level: str, step: str, message: str) -> None:
        if step == "recovery":
            raise NoSpace("the disk is full")
        await write(self, job, project, level, step, message)

    monkeypatch.setattr(Transaction, "write_log", full)
    after = runner_of(store, done)
    await after.recover()
    assert (await after.wait(path, 5)).state == "SUCCESS"


async def test_a_job_that_began_before_the_others_are_taken_up_is_left_alone(
    store: Store, runner: JobRunner, done: list[str]
) -> None:
    path = await submitted(store, runner, plan(StepCall("a", {"waits": True})))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    await runner.recover()
    assert await store.fetch("SELECT attempts FROM plans WHERE job = ?", (path,)) == [(0,)]
    await runner.stop(path, "enough")
    await runner.wait(path, PATIENCE)


async def test_locks_are_taken_again_after_a_restart(store: Store, done: list[str]) -> None:
    before = runner_of(store, done)
    await submitted(store, before, plan(StepCall("a", {"unlocks": True, "waits": True}), locks=("machines/1",)))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    await before.drain(0.1)
    after = runner_of(store, done)
    assert await after.claimed() == {"machines/1"}
