"""When jobs begin, and which of those that want the same come first."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.errors import Conflict, NoSpace
from gateway.jobs.execution import Execution
from gateway.jobs.plan import StepCall
from gateway.jobs.runner import JobRunner
from gateway.store.store import Store
from gateway.store.transaction import PlanRow
from tests.patience import PATIENCE
from tests.unit.jobs.recorded import plan, runner_of, submitted


async def test_jobs_on_one_resource_run_one_after_the_other(store: Store, runner: JobRunner, done: list[str]) -> None:
    first = await submitted(store, runner, plan(StepCall("a", {"waits": True}), locks=("machines/1",)))
    second = await submitted(store, runner, plan(StepCall("b"), locks=("machines/1",)))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    assert "run b" not in done
    await runner.stop(first, "let the other one")
    assert (await runner.wait(second, PATIENCE)).state == "SUCCESS"


async def test_jobs_on_one_resource_begin_in_the_order_of_their_commits(store: Store, done: list[str]) -> None:
    """Also when the plan of an earlier one takes longer to be read."""
    runner = runner_of(store, done)
    read, delays = store.fetch, iter((0.2, 0.0))

    async def slowly(sql: str, *parameters: Any) -> list[Any]:
        if "FROM plans WHERE job" in sql:
            await asyncio.sleep(next(delays))
        return await read(sql, *parameters)

    store.fetch = slowly  # type: ignore[method-assign, assignment]
    paths = [await submitted(store, runner, plan(StepCall(name), locks=("machines/1",))) for name in ("a", "b")]
    for path in paths:
        assert (await runner.wait(path, PATIENCE)).state == "SUCCESS"
    assert [entry for entry in done if entry != "run settle"] == ["run a", "run b"]


async def test_a_job_is_not_overtaken_at_one_of_its_resources_while_it_waits_for_another(
    store: Store, runner: JobRunner, done: list[str]
) -> None:
    first = await submitted(store, runner, plan(StepCall("a", {"waits": True}), locks=("machines/1",)))
    both = await submitted(store, runner, plan(StepCall("b"), locks=("machines/1", "machines/2")))
    last = await submitted(store, runner, plan(StepCall("c"), locks=("machines/2",)))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    await runner.stop(first, "let the others")
    for path in (both, last):
        assert (await runner.wait(path, PATIENCE)).state == "SUCCESS"
    assert [entry for entry in done if entry in ("run b", "run c")] == ["run b", "run c"]


async def test_a_job_that_gives_up_waiting_lets_the_others_on(store: Store, runner: JobRunner, done: list[str]) -> None:
    first = await submitted(store, runner, plan(StepCall("a", {"waits": True}), locks=("machines/1",)))
    await submitted(store, runner, plan(StepCall("b"), locks=("machines/1", "machines/2")))
    last = await submitted(store, runner, plan(StepCall("c"), locks=("machines/2",)))
    while "run a" not in done:
        await asyncio.sleep(0.01)
    for path, task in runner._tasks.items():
        if path not in (first, last):
            task.cancel()
    assert (await runner.wait(last, PATIENCE)).state == "SUCCESS"
    await runner.stop(first, "enough")
    await runner.wait(first, PATIENCE)


async def test_a_job_that_the_full_disk_interrupts_keeps_its_place(
    store: Store, runner: JobRunner, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.runner.AGAIN_AFTER", 0.1)
    load, full = Execution.load, iter((True,))

    async def loaded(self: Execution) -> PlanRow | None:
        if next(full, False):
            raise NoSpace("the disk is full")
        return await load(self)

    monkeypatch.setattr(Execution, "load", loaded)
    paths = [await submitted(store, runner, plan(StepCall(name), locks=("machines/1",))) for name in ("a", "b")]
    for path in paths:
        assert (await runner.wait(path, PATIENCE)).state == "SUCCESS"
    assert [entry for entry in done if entry != "run settle"] == ["run a", "run b"]


async def test_a_job_begins_though_who_asked_for_it_is_gone_with_the_commit(
    store: Store, runner: JobRunner, done: list[str]
) -> None:
    asking = asyncio.create_task(submitted(store, runner, plan(StepCall("a"))))

    def cancel(_changes: object) -> None:
        asking.cancel()

    store.watch(cancel)
    with pytest.raises(asyncio.CancelledError):
        await asking
    async with asyncio.timeout(PATIENCE):
        while "run settle" not in done:
            await asyncio.sleep(0.01)


async def test_a_job_whose_transaction_is_given_up_never_begins(
    store: Store, runner: JobRunner, done: list[str]
) -> None:
    with pytest.raises(Conflict):
        async with store.transaction() as transaction:
            await runner.submit(transaction, plan(StepCall("a")))
            raise Conflict("after all not")
    await runner.wait(await submitted(store, runner, plan(StepCall("b"))), 5)
    assert "run a" not in done


async def test_a_step_may_let_the_locks_go_before_the_end(store: Store, runner: JobRunner, done: list[str]) -> None:
    calls = (StepCall("a", {"unlocks": True, "waits": True}),)
    first = await submitted(store, runner, plan(*calls, locks=("machines/1",)))
    second = await submitted(store, runner, plan(StepCall("b", {"unlocks": True}), locks=("machines/1",)))
    assert (await runner.wait(second, PATIENCE)).state == "SUCCESS"
    assert await runner.claimed() == frozenset()
    await runner.stop(first, "enough")
    assert (await runner.wait(first, PATIENCE)).state == "STOPPED"
