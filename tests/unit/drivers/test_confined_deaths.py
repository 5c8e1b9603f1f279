"""Readers that end or cannot begin through nobody's fault: the bytes that they read are not blamed for it."""

from __future__ import annotations

import asyncio
import errno
import signal
from pathlib import Path
from typing import Any

import pytest

from drivers.confined.errors import ReaderAway, ReaderDied
from drivers.confined.limits import Limits, oom_kills
from drivers.confined.readers import ConfinedReaders
from drivers.confined.reading import Reading
from tests.unit.drivers.obedient_reading import MIB, OBEY, Order, Told, counted, obey, processes

pytestmark = pytest.mark.slow


async def test_a_reading_whose_bytes_never_come_ends_and_is_not_blamed_on_the_file() -> None:
    readers = ConfinedReaders(Limits(conversation=1.0), at_once=1)
    asked, pids = asyncio.Event(), [int((await counted(readers)).words)]

    async def more(_offset: int, _length: int) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    with pytest.raises(ReaderAway, match="bytes came too slowly"):
        await asyncio.wait_for(readers.ask(OBEY, Order("ask", 1), more=more), 60)
    assert asked.is_set()
    assert not set(pids) & processes()
    assert readers.deaths == 0
    assert (await counted(readers, b"abc")).number == 3
    await readers.close()


async def test_a_time_out_of_who_gives_the_bytes_stays_its_own(readers: ConfinedReaders) -> None:
    async def more(_offset: int, _length: int) -> bytes:
        raise TimeoutError("the server")

    with pytest.raises(TimeoutError, match="the server"):
        await readers.ask(OBEY, Order("ask", 1), more=more)


async def test_without_a_process_nothing_is_read_and_the_next_question_tries_again(
    readers: ConfinedReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object, **_settings: object) -> asyncio.subprocess.Process:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as host:
        host.setattr(asyncio, "create_subprocess_exec", full)
        with pytest.raises(ReaderAway, match="try again later"):
            await readers.ask(OBEY, Order("count"))
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


# Deaths that are nobody's fault

LOST = Reading("tests.unit.drivers.no_such_module:LOST", Order, Told, obey)


async def test_a_reader_that_cannot_begin_is_not_blamed_on_the_bytes(readers: ConfinedReaders) -> None:
    with pytest.raises(ReaderAway, match="could begin"):
        await readers.ask(LOST, Order("count"), b"abc")
    assert readers.deaths == 0
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_a_question_that_it_does_not_understand_is_not_blamed_on_the_bytes(readers: ConfinedReaders) -> None:
    older: Reading[Any, Told] = Reading(OBEY.place, Told, Told, obey)
    with pytest.raises(ReaderAway, match="could begin"):
        await readers.ask(older, Told(1), b"abc")


async def test_one_that_cannot_even_be_loaded_is_not_blamed_on_the_bytes(
    readers: ConfinedReaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.confined.process.MODULE", "drivers.no_such_module")
    with pytest.raises(ReaderAway, match="could begin"):
        await readers.ask(OBEY, Order("count"), bytes(MIB))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_one_that_is_asked_to_end_while_it_reads_is_not_blamed_on_the_bytes(
    readers: ConfinedReaders, number: int
) -> None:
    with pytest.raises(ReaderAway, match="was ended"):
        await readers.ask(OBEY, Order("fall_by", number))
    assert readers.deaths == 0


@pytest.mark.parametrize(("before", "after", "error"), [(4, 5, ReaderAway), (4, 4, ReaderDied), (0, 0, ReaderDied)])
async def test_one_that_is_killed_is_not_blamed_on_the_bytes_if_the_kernel_killed_for_want_of_memory(
    readers: ConfinedReaders, monkeypatch: pytest.MonkeyPatch, before: int, after: int, error: type[Exception]
) -> None:
    told = iter([before, after])
    monkeypatch.setattr("drivers.confined.process.oom_kills", lambda: next(told))
    with pytest.raises(error):
        await readers.ask(OBEY, Order("fall_by", signal.SIGKILL))


def test_the_kernel_tells_how_many_it_killed_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert oom_kills() >= 0
    monkeypatch.setattr("drivers.confined.limits.EVENTS", tmp_path / "vmstat")
    assert oom_kills() == 0
    (tmp_path / "vmstat").write_text("pgfault 9\noom_kill 12\noom_killer 3\n")
    assert oom_kills() == 12


# What a reader says that was broken into
