"""Who reads hostile bytes: what it may take, what becomes of it when it takes more, and what both ends believe."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from drivers.confined.errors import ReaderAway, ReaderDied, Unreadable
from drivers.confined.forms import WrongForm, form_of, value_of
from drivers.confined.frames import LENGTHS
from drivers.confined.limits import Limits, oom_kills
from drivers.confined.process import LONGEST_REFUSAL, MOST_PIECES
from drivers.confined.readers import AT_ONCE, ConfinedReaders
from drivers.confined.reading import Reading, Supply

MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Order:
    """What the reader of these tests is to do."""

    what: str
    number: int = 0
    words: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    number: int
    words: str = ""


def compute(_order: Order, _supply: Supply) -> Told:
    while True:
        pass


def take_memory(order: Order, _supply: Supply) -> Told:
    return Told(len(bytearray(order.number)))


def write(order: Order, _supply: Supply) -> Told:
    return Told(Path(order.words).write_bytes(b"x"))


def refuse(_order: Order, _supply: Supply) -> Told:
    raise Unreadable("it is no good")


def fall(_order: Order, _supply: Supply) -> Told:
    raise KeyError("nobody thought of this")


def end(_order: Order, _supply: Supply) -> Told:
    os._exit(3)


def fall_by(order: Order, _supply: Supply) -> Told:
    os.kill(os.getpid(), order.number)
    return Told(0)


def say(order: Order, supply: Supply) -> Told:
    """Say what nobody says, as a reader that was broken into may."""
    words = order.words.encode()
    sink: BinaryIO = supply._sink  # type: ignore[attr-defined]
    sink.write(LENGTHS.pack(len(words), 0) + words)
    sink.flush()
    time.sleep(3600)
    return Told(0)


def limits(_order: Order, _supply: Supply) -> Told:
    return Told(resource.getrlimit(resource.RLIMIT_AS)[0], str(resource.getrlimit(resource.RLIMIT_CORE)[0]))


def ask(order: Order, supply: Supply) -> Told:
    return Told(sum(len(supply.more(one, 1) or b"") for one in range(order.number)))


def ask_for_much(order: Order, supply: Supply) -> Told:
    return Told(len(supply.more(0, order.number) or b""))


def count(_order: Order, supply: Supply) -> Told:
    return Told(len(supply.content), str(os.getpid()))


WORKS = {
    one.__name__: one
    for one in (compute, take_memory, write, refuse, fall, end, fall_by, say, limits, ask, ask_for_much, count)
}


def obey(order: Order, supply: Supply) -> Told:
    return WORKS[order.what](order, supply)


OBEY = Reading("tests.unit.drivers.test_confined:OBEY", Order, Told, obey)


def sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in directory.iterdir()]


def processes() -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*")}


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


async def counted(readers: ConfinedReaders, content: bytes = b"") -> Told:
    """Return what a reader counts: one that a busy machine starts too slowly is asked for again."""
    while True:
        with suppress(ReaderAway):
            return await readers.ask(OBEY, Order("count"), content)


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


@pytest.mark.parametrize(
    "words",
    [
        b"no JSON",
        b"[]",
        b"[" * 10_000,
        b'{"more":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"more": 1}',
        b'{"more": [1]}',
        b'{"more": ["a", "b"]}',
        b'{"more": [null, 1]}',
        b'{"more": [true, 1]}',
        b'{"more": [1e999, 1]}',
        b'{"more": [' + b"9" * 4000 + b", 1]}",
        b'{"more": [-1, 1]}',
        b'{"more": [' + b"9" * 5000 + b", 1]}",
        b'{"refused": {"a": 1}}',
        b'{"failed": []}',
        b'{"answer": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"answer": ' + b"[" * 50_000,
    ],
    ids=range(17),
)
async def test_whatever_a_reader_says_nothing_but_an_answer_comes_of_it_or_the_ordinary_error(
    readers: ConfinedReaders, words: bytes
) -> None:
    async def more(offset: int, length: int) -> bytes:
        assert 0 <= offset < 2**63
        return bytes(length)

    with pytest.raises((Unreadable, ReaderDied)):
        await readers.ask(OBEY, Order("say", words=words.decode()), more=more)
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_what_it_refuses_is_told_in_words_that_can_be_shown(readers: ConfinedReaders) -> None:
    with pytest.raises(Unreadable) as caught:
        await readers.ask(OBEY, Order("say", words='{"refused": "\\ud800' + "x" * 100_000 + '"}'))
    assert str(caught.value).encode() == b"?" + b"x" * (LONGEST_REFUSAL - 1)


# Forms


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Told, Told(3, "a\udcffb")),
        (Told | None, None),
        (tuple[Told | Order, ...], (Told(1), Order("x", 2))),
        (dict[str, frozenset[str]], {"#": frozenset({"a", "b"})}),
        (tuple[int, str], (1, "")),
    ],
)
def test_a_value_comes_back_from_its_form(kind: object, value: object) -> None:
    assert value_of(kind, form_of(value)) == value


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Told, {"#": "Order", "what": "x"}),
        (Told, {"#": "Told"}),
        (Told, {"#": "Told", "number": "1"}),
        (Told, {"#": "Told", "number": True}),
        (Told, {"#": "Told", "number": 1, "more": 2}),
        (tuple[int, ...], "abc"),
        (tuple[int, str], [1]),
        (dict[str, int], {"a": None}),
        (Told | Order, {"#": "Path"}),
    ],
)
def test_nothing_but_the_declared_type_comes_of_a_form(kind: object, form: object) -> None:
    with pytest.raises(WrongForm):
        value_of(kind, form)
