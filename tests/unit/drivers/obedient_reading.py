"""Reading that does in its process whatever a test orders, and says it back."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from drivers.confined.errors import ReaderAway, Unreadable
from drivers.confined.frames import LENGTHS
from drivers.confined.readers import ConfinedReaders
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


OBEY = Reading("tests.unit.drivers.obedient_reading:OBEY", Order, Told, obey)


def sizes(directory: Path) -> list[int]:
    return [path.stat().st_size for path in directory.iterdir()]


def processes() -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*")}


async def counted(readers: ConfinedReaders, content: bytes = b"") -> Told:
    """Return what a reader counts: one that a busy machine starts too slowly is asked for again."""
    while True:
        with suppress(ReaderAway):
            return await readers.ask(OBEY, Order("count"), content)
