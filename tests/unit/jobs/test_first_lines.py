"""The first line of a Job: what is done, to which resource by name and path, and by whom."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.jobs.execution import Failure
from gateway.jobs.plan import Plan, StepCall
from gateway.jobs.runner import JobRunner
from gateway.store.model import Resource
from gateway.store.store import Store
from tests.patience import PATIENCE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = 'x" by root\n'


def machine(name: str | None = "web") -> Resource:
    document = {"name": name} if name is not None else {}
    return Resource("machines/1", "Machine", "ann", document, NOW, NOW)


async def first_line(store: Store, runner: JobRunner, plan: Plan, *resources: Resource) -> str:
    async with store.transaction() as transaction:
        for resource in resources:
            await transaction.insert(resource)
        job = await runner.submit(transaction, plan)
    await runner.wait(job, PATIENCE)
    return (await runner.lines(job))[0].message


def pause(parent_job: str | None = None) -> Plan:
    return Plan("pause", "machines/1", "ann", (StepCall("a"),), parent_job=parent_job)


async def test_it_has_the_action_the_resource_with_its_name_and_the_user(store: Store, runner: JobRunner) -> None:
    assert await first_line(store, runner, pause(), machine()) == 'pause machines/1 "web" by ann'


async def test_it_has_the_path_alone_of_a_resource_without_a_name(store: Store, runner: JobRunner) -> None:
    assert await first_line(store, runner, pause(), machine(name=None)) == "pause machines/1 by ann"


async def test_of_an_addition_it_names_what_is_added(store: Store, runner: JobRunner) -> None:
    plan = Plan("add", "machines", "ann", (StepCall("a"),), affected=("machines/1",))
    assert await first_line(store, runner, plan, machine()) == 'add machines/1 "web" by ann'


async def test_a_component_without_a_name_goes_by_the_name_of_its_whole(store: Store, runner: JobRunner) -> None:
    disk = Resource("machines/1/disks/vda", "Disk", "ann", {}, NOW, NOW, parent="machines/1")
    plan = Plan("edit", "machines/1/disks/vda", "ann", (StepCall("a"),))
    assert await first_line(store, runner, plan, machine(), disk) == 'edit machines/1/disks/vda "web" by ann'


async def test_it_names_the_job_that_it_is_a_part_of(store: Store, runner: JobRunner) -> None:
    whole = Resource("jobs/0", "Job", "ann", {"state": "RUNNING"}, NOW, NOW)
    line = await first_line(store, runner, pause(parent_job="jobs/0"), machine(), whole)
    assert line == 'pause machines/1 "web" by ann, part of jobs/0'


async def test_a_name_ends_neither_its_quotes_nor_the_line(store: Store, runner: JobRunner) -> None:
    line = await first_line(store, runner, pause(), machine(name=HOSTILE))
    assert line == 'pause machines/1 "x\\" by root\\n" by ann'


async def test_a_long_name_is_cut(store: Store, runner: JobRunner) -> None:
    assert len(await first_line(store, runner, pause(), machine(name="x" * 5000))) < 100


@pytest.mark.parametrize("failure", [None, Failure(10409, "it is busy")])
async def test_a_job_that_ends_with_its_request_has_a_first_and_a_last_line(
    store: Store, runner: JobRunner, failure: Failure | None
) -> None:
    plan = Plan("delete", "machines/1", "ann", ())
    async with store.transaction() as transaction:
        await transaction.insert(machine())
    async with store.transaction() as transaction:
        await transaction.delete("machines/1")
        ended = runner.completed(transaction, plan) if failure is None else runner.refused(transaction, plan, failure)
        job = await ended
    lines = [(line.step, line.message) for line in await runner.lines(job)]
    last = "SUCCESS" if failure is None else "FAILED: it is busy"
    assert lines == [("begin", 'delete machines/1 "web" by ann'), ("end", last)]
