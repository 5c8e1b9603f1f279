"""What is begun and not ended is counted in the Job; twice is enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import DriverReaderDied
from gateway.errors import Invalid, NoSpace
from gateway.jobs.plan import Plan
from gateway.jobs.records import KeptJob, new_job
from gateway.orchestration.common.tries import Tries
from gateway.ovf.errors import PackageReaderDied
from gateway.store.store import Store


class Work:
    """Work that fails in the ways that it is given, one after the other, and then succeeds."""

    def __init__(self, *failures: BaseException) -> None:
        self._failures = list(failures)
        self.begun = 0

    async def __call__(self) -> str:
        self.begun += 1
        if self._failures:
            raise self._failures.pop(0)
        return "done"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "gateway.db")
    yield opened
    await opened.close()


@pytest.fixture
async def job(store: Store) -> str:
    async with store.transaction() as transaction:
        return (await transaction.insert(new_job(Plan("add", "machineImages", "me", ()), "RUNNING"))).path


async def noted(store: Store, job: str) -> dict[str, int]:
    found = await store.get(job)
    assert found is not None
    return KeptJob.of(found).tries


async def test_work_that_succeeds_is_begun_once_and_leaves_no_note(store: Store, job: str) -> None:
    work = Work()
    assert (await Tries(store, job).of("reading", work), work.begun) == ("done", 1)
    assert await noted(store, job) == {}


@pytest.mark.parametrize("death", [DriverReaderDied("dead"), PackageReaderDied("dead")])
async def test_work_whose_reader_dies_is_begun_again_once(store: Store, job: str, death: Exception) -> None:
    work = Work(death)
    assert (await Tries(store, job).of("reading", work), work.begun) == ("done", 2)
    assert await noted(store, job) == {}


async def test_work_whose_reader_dies_twice_is_not_begun_again(store: Store, job: str) -> None:
    work = Work(*(DriverReaderDied("dead") for _ in range(9)))
    with pytest.raises(Invalid, match="reading was begun 2 times"):
        await Tries(store, job).of("reading", work)
    assert work.begun == 2


async def test_a_try_that_the_process_did_not_live_to_end_counts(store: Store, job: str) -> None:
    before = Tries(store, job)
    assert await before._begin("reading")
    assert await before._begin("reading")
    work = Work()
    with pytest.raises(Invalid, match="not tried again"):
        await Tries(store, job).of("reading", work)
    assert work.begun == 0


async def test_tries_of_one_work_are_none_of_another(store: Store, job: str) -> None:
    await Tries(store, job)._begin("reading the manifest")
    await Tries(store, job)._begin("reading the manifest")
    assert await Tries(store, job).of("reading the descriptor", Work()) == "done"


@pytest.mark.parametrize("failure", [Invalid("it is no image"), asyncio.CancelledError()])
async def test_a_refusal_or_a_stop_in_good_order_is_no_try(store: Store, job: str, failure: BaseException) -> None:
    with pytest.raises(type(failure)):
        await Tries(store, job).of("reading", Work(failure))
    assert await noted(store, job) == {}


async def test_a_full_disk_hides_no_other_error(store: Store, job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_self: Tries, _what: str) -> None:
        raise NoSpace("the disk is full")

    monkeypatch.setattr(Tries, "_end", full)
    with pytest.raises(Invalid, match="it is no image"):
        await Tries(store, job).of("reading", Work(Invalid("it is no image")))
