"""Quotas over a real store: what is counted is what is there, and of many at once none gets what is one too much."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from drivers.base import HostFacts, HypervisorSettings
from gateway.errors import Conflict, Forbidden, NoSpace
from gateway.orchestration.common.capacity import Capacities
from gateway.orchestration.quotas.counting import Quotas
from gateway.orchestration.quotas.measures import RUNNING
from gateway.store.model import Resource
from gateway.store.rules import Rule
from gateway.store.store import Store
from gateway.store.transaction import PROMISER
from gateway.store.usage import Allowance, allow, usage_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOST = HostFacts(4, 4000, 1000, ("x86_64",), "kvm", "1", uefi=False)
HYPERVISOR = HypervisorSettings("local", "memory", "p", "n", memory_overcommit=1.5, cpu_overcommit=2)
ANN = "project/ann"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@pytest.fixture(autouse=True)
def promising() -> Iterator[None]:
    """What these tests write is asked for, where they do not say otherwise."""
    before = PROMISER.set("ann")
    yield
    PROMISER.reset(before)


async def bounded(store: Store, of_users: dict[str, int] | None = None, **defaults: int) -> Quotas:
    capacities = Capacities({"local": HYPERVISOR})
    capacities.learn("local", HOST)
    quotas = Quotas({"project": defaults, "user": of_users or {}}, capacities)
    await quotas.prepare(store)
    store.obey((Rule(quotas.count, "counting"),))
    return quotas


def machine(number: int, state: str = "STOPPED", **internal: Any) -> Resource:
    document = {"state": state, "cpu": 1, "memory": 1000}
    facts = {"host": "local", **internal}
    return Resource(f"machines/{number}", "Machine", "ann", document, NOW, NOW, internal=facts)


def job(number: int, action: str = "add", state: str = "RUNNING") -> Resource:
    return Resource(f"jobs/{number}", "Job", "ann", {"state": state, "action": action}, NOW, NOW)


async def insert(store: Store, *resources: Resource) -> None:
    async with store.transaction() as transaction:
        for resource in resources:
            await transaction.insert(resource)


async def delete(store: Store, path: str) -> None:
    async with store.transaction() as transaction:
        await transaction.delete(path)


async def change(store: Store, resource: Resource, **document: Any) -> None:
    async with store.transaction() as transaction:
        current = await transaction.get(resource.path)
        assert current is not None
        await transaction.update(current.with_document(**document))


async def used(store: Store, holder: str = ANN) -> Counter[str]:
    return Counter({row.quota: row.used for row in await usage_of(store, [holder])})


async def test_of_fifty_creates_at_once_as_many_succeed_as_the_quota_allows(store: Store) -> None:
    await bounded(store, machines=10)
    answers = await asyncio.gather(*(insert(store, machine(number)) for number in range(50)), return_exceptions=True)
    refused = [answer for answer in answers if answer is not None]
    assert (len(refused), {type(answer) for answer in refused}) == (40, {Forbidden})
    assert (await used(store))["machines"] == 10


async def test_of_creates_and_deletes_at_once_never_more_is_there_than_allowed_nor_counted_than_there(
    store: Store,
) -> None:
    await bounded(store, machines=5, running_memory=3000)
    chosen = random.Random(16)
    states = sorted(RUNNING | {"STOPPED", "ERROR"})

    async def client(number: int) -> None:
        for _ in range(8):
            with suppress(Forbidden, Conflict):
                await insert(store, machine(number, chosen.choice(states)))
            with suppress(Forbidden, AssertionError):
                await change(store, machine(number), state=chosen.choice(states))
            amounts = await used(store)
            assert amounts["machines"] <= 5 and amounts["running_memory"] <= 3000
            if chosen.random() < 0.7:
                await delete(store, f"machines/{number}")

    await asyncio.gather(*(client(number) for number in range(12)))
    counted = await used(store)
    [(number, memory)] = await store.fetch(
        "SELECT count(*), coalesce(sum(CASE WHEN state NOT IN ('STOPPED', 'ERROR') THEN 1000 END), 0) "
        "FROM resources WHERE kind = 'Machine'"
    )
    assert (counted["machines"], counted["running_memory"]) == (number, memory)


async def test_the_refusal_says_which_quota_what_is_used_and_what_is_allowed(store: Store) -> None:
    await bounded(store, machines=1)
    await insert(store, machine(1))
    with pytest.raises(Forbidden, match=r"the quota machines \(Machines\) .* is full: 1 of 1 are used, and 1 more"):
        await insert(store, machine(2))


async def test_too_many_bytes_are_a_lack_of_space(store: Store) -> None:
    await bounded(store, volume_bytes=1_000_000)
    volume = Resource("volumes/1", "Volume", "ann", {"state": "CREATING", "capacity": 1001}, NOW, NOW)
    with pytest.raises(NoSpace, match="0 bytes of 1000000 bytes are used, and 1001000 bytes more were asked for"):
        await insert(store, replace(volume, internal={"host": "local"}))


async def test_what_a_project_was_set_goes_before_the_default(store: Store) -> None:
    await bounded(store, machines=1)
    async with store.transaction() as transaction:
        allow(transaction, ANN, [Allowance("machines", 2)])
    await insert(store, machine(1), machine(2))
    with pytest.raises(Forbidden):
        await insert(store, machine(3))


async def test_a_project_may_be_set_free_of_a_quota_and_given_the_default_again(store: Store) -> None:
    await bounded(store, machines=0)
    async with store.transaction() as transaction:
        allow(transaction, ANN, [Allowance("machines", None)])
    await insert(store, machine(1))
    async with store.transaction() as transaction:
        allow(transaction, ANN, [Allowance("machines", default=True)])
    with pytest.raises(Forbidden):
        await insert(store, machine(2))


async def test_what_is_only_seen_is_counted_and_not_refused(store: Store) -> None:
    await bounded(store, running_memory=500)
    await insert(store, machine(1))
    PROMISER.set(None)
    await change(store, machine(1), state="STARTED")
    assert (await used(store))["running_memory"] == 1000


async def test_a_full_quota_stops_neither_a_stop_nor_a_delete(store: Store) -> None:
    await bounded(store)
    await insert(store, machine(1, "STARTED"), job(1))
    size = (await used(store))["document_bytes"]
    async with store.transaction() as transaction:
        full = {"machines": 1, "running_memory": 1, "jobs": 1, "documents": 1, "document_bytes": size}
        allow(transaction, ANN, [Allowance(quota, most) for quota, most in full.items()])
    for action, state in (("stop", "STOPPING"), ("delete", "DELETING")):
        async with store.transaction() as transaction:
            await transaction.insert(job(len(action), action))
            current = await transaction.get("machines/1")
            assert current is not None
            await transaction.update(replace(current.with_document(state=state), held_by=f"jobs/{len(action)}"))
    with pytest.raises(Forbidden):
        await insert(store, job(9, "add"))


async def test_jobs_that_have_ended_are_counted_no_more(store: Store) -> None:
    await bounded(store, jobs=1)
    await insert(store, job(1))
    await change(store, job(1), state="SUCCESS")
    await insert(store, job(2))
    assert (await used(store))["jobs"] == 1


async def test_a_machine_that_starts_beyond_what_its_host_has_is_refused(store: Store) -> None:
    await bounded(store)
    await insert(store, *(machine(number, "STARTED") for number in range(6)), machine(6))
    with pytest.raises(Conflict, match="the host local has not enough left for 1000 KiB of memory more"):
        await change(store, machine(6), state="STARTING")
    assert (await used(store, "host/local"))["host_memory"] == 6000


async def test_cpus_are_promised_as_often_as_the_configuration_says(store: Store) -> None:
    await bounded(store)
    with pytest.raises(Conflict, match="9 virtual CPUs more"):
        await insert(store, machine(1, "STARTING").with_document(cpu=9, memory=1))


@pytest.mark.parametrize(
    ("state", "facts", "memory"),
    [
        ("STARTED", {}, 1000),
        ("STOPPED", {}, 0),
        ("SUSPENDED", {}, 0),
        ("CREATING", {}, 1000),
        ("CREATING", {"initial_state": "STOPPED"}, 0),
        ("STOPPING", {"state_before": "STARTED"}, 1000),
        ("STOPPING", {"state_before": "ERROR"}, 0),
        ("DELETING", {"state_before": "STOPPED"}, 0),
    ],
)
async def test_memory_is_promised_to_what_has_it_or_is_about_to(
    store: Store, state: str, facts: dict[str, str], memory: int
) -> None:
    await bounded(store)
    await insert(store, machine(1, state, **facts))
    assert (await used(store))["running_memory"] == memory


async def test_a_store_from_before_is_counted_at_the_start(store: Store) -> None:
    await insert(store, machine(1), machine(2, "STARTED"))
    await bounded(store)
    amounts = await used(store)
    assert (amounts["machines"], amounts["memory"], amounts["running_memory"]) == (2, 2000, 1000)


async def test_what_was_counted_once_is_not_counted_again_at_each_start(store: Store) -> None:
    quotas = await bounded(store)
    await insert(store, machine(1))
    await quotas.prepare(store)
    assert (await used(store))["machines"] == 1


async def test_what_belongs_to_nobody_is_counted_for_nobody(store: Store) -> None:
    await bounded(store)
    await insert(store, replace(machine(1), kind="MachineConfiguration", path="machineConfigs/1", project=None))
    assert await store.fetch("SELECT holder FROM usage") == []


# Users


async def test_what_a_user_has_in_all_projects_together_is_bounded(store: Store) -> None:
    await bounded(store, of_users={"machines": 2})
    await insert(store, machine(1), replace(machine(2), project="shop"))
    with pytest.raises(Forbidden, match=r"the quota machines \(Machines\) of this user is full: 2 of 2"):
        await insert(store, replace(machine(3), project="lab"))
    PROMISER.set("bob")
    await insert(store, replace(machine(3), project="shop"))


async def test_what_another_deletes_is_given_back_to_who_made_it(store: Store) -> None:
    await bounded(store)
    await insert(store, replace(machine(1), project="shop"))
    PROMISER.set("bob")
    await delete(store, "machines/1")
    assert (await used(store, "user/ann"))["machines"] == 0
    assert (await used(store, "user/bob"))["machines"] == 0


async def test_a_user_may_be_set_another_quota_than_the_default(store: Store) -> None:
    await bounded(store, of_users={"machines": 0})
    async with store.transaction() as transaction:
        allow(transaction, "user/ann", [Allowance("machines", 1)])
    await insert(store, machine(1))
    with pytest.raises(Forbidden):
        await insert(store, machine(2))


async def test_what_the_gateway_makes_by_itself_is_nobodys(store: Store) -> None:
    await bounded(store)
    PROMISER.set(None)
    await insert(store, machine(1))
    assert (await used(store))["machines"] == 1
    assert await used(store, "user/ann") == Counter()
