"""Who reads hostile bytes: what it may take, what becomes of it when it takes more, and what both ends believe."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.confined.errors import ReaderDied, Unreadable
from drivers.confined.limits import Limits
from drivers.confined.process import MOST_PIECES
from drivers.confined.readers import AT_ONCE, ConfinedReaders
from tests.unit.drivers.obedient_reading import MIB, OBEY, Order, Told, processes, sizes

pytestmark = pytest.mark.slow


@pytest.fixture
async def hasty() -> AsyncIterator[ConfinedReaders]:
    """Readers that may compute for a second, and take little."""
    opened = ConfinedReaders(Limits(cpu_seconds=1, memory=256 * MIB, deadline=60.0))
    yield opened
    await opened.close()


async def test_what_comes_along_is_read_in_another_process(readers: ConfinedReaders) -> None:
    told = await readers.ask(OBEY, Order("count"), b"hostile")
    assert (told.number, told.words != str(os.getpid())) == (7, True)


async def test_one_process_reads_again_and_again(readers: ConfinedReaders) -> None:
    told = {(await readers.ask(OBEY, Order("count"))).words for _ in range(5)}
    assert len(told) == 1


async def test_no_more_processes_than_allowed_read_at_once(readers: ConfinedReaders) -> None:
    told = await asyncio.gather(*(readers.ask(OBEY, Order("count")) for _ in range(10)))
    assert len({one.words for one in told}) <= AT_ONCE


async def test_what_it_refuses_it_refuses_with_its_words_and_goes_on(readers: ConfinedReaders) -> None:
    before = (await readers.ask(OBEY, Order("count"))).words
    with pytest.raises(Unreadable, match="it is no good"):
        await readers.ask(OBEY, Order("refuse"))
    assert (await readers.ask(OBEY, Order("count"))).words == before


async def test_a_reader_that_falls_refuses_the_bytes(readers: ConfinedReaders) -> None:
    with pytest.raises(Unreadable, match="broken in a way"):
        await readers.ask(OBEY, Order("fall"))


async def test_one_that_computes_too_long_is_killed_and_another_takes_its_place(hasty: ConfinedReaders) -> None:
    with pytest.raises(ReaderDied, match="more time or memory"):
        await hasty.ask(OBEY, Order("compute"))
    assert hasty.deaths == 1
    assert (await hasty.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_one_that_does_not_answer_in_time_is_killed() -> None:
    slow = ConfinedReaders(Limits(cpu_seconds=600, deadline=5.0))
    try:
        # A process that has begun answers at once, however busy the machine is.
        await slow.ask(OBEY, Order("count"), b"abc")
        with pytest.raises(ReaderDied):
            await slow.ask(OBEY, Order("compute"))
    finally:
        await slow.close()


async def test_one_that_takes_too_much_memory_is_killed(hasty: ConfinedReaders) -> None:
    with pytest.raises(ReaderDied):
        await hasty.ask(OBEY, Order("take_memory", 512 * MIB))


async def test_one_that_ends_by_itself_is_told_of(readers: ConfinedReaders) -> None:
    with pytest.raises(ReaderDied):
        await readers.ask(OBEY, Order("end"))


async def test_time_to_compute_is_that_of_one_reading(hasty: ConfinedReaders) -> None:
    for _ in range(400):
        await hasty.ask(OBEY, Order("count"), bytes(MIB))
    assert hasty.deaths == 0


async def test_its_memory_is_limited_and_it_dumps_no_core(readers: ConfinedReaders) -> None:
    assert await readers.ask(OBEY, Order("limits")) == Told(Limits().memory, "0")


async def test_it_writes_no_file(readers: ConfinedReaders, tmp_path: Path) -> None:
    with pytest.raises((Unreadable, ReaderDied)):
        await readers.ask(OBEY, Order("write", words=str(tmp_path / "written")))
    assert sizes(tmp_path) == [0]


async def test_it_is_given_the_bytes_that_it_asks_for(readers: ConfinedReaders) -> None:
    async def more(offset: int, length: int) -> bytes | None:
        return bytes(length) if offset < 10 else None

    assert (await readers.ask(OBEY, Order("ask", 20), more=more)).number == 10


@pytest.mark.parametrize("order", [Order("ask", MOST_PIECES + 1), Order("ask_for_much", 100 * MIB)])
async def test_one_that_asks_for_too_much_is_not_served(readers: ConfinedReaders, order: Order) -> None:
    async def more(_offset: int, length: int) -> bytes:
        return bytes(length)

    with pytest.raises(Unreadable, match="scattered"):
        await readers.ask(OBEY, order, more=more)
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_what_goes_wrong_with_the_supply_is_told_as_it_is(readers: ConfinedReaders) -> None:
    async def more(_offset: int, _length: int) -> bytes:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        await readers.ask(OBEY, Order("ask", 1), more=more)
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_a_reading_that_is_left_ends_its_process(readers: ConfinedReaders) -> None:
    before = int((await readers.ask(OBEY, Order("count"))).words)
    reading = asyncio.create_task(readers.ask(OBEY, Order("compute")))
    await asyncio.sleep(0.1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert before not in processes()
