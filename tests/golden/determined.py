"""A process in which ids, random bytes and the time are the same in every run."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TypeVar
from unittest.mock import patch

from drivers.supervision import Loop
from gateway import clock

T = TypeVar("T")
BEGIN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()


class StandingTime:
    """Stands in for the module ``time``: nothing passes but by ``tick``."""

    CLOCK_BOOTTIME = time.CLOCK_BOOTTIME

    def __init__(self) -> None:
        self.passed = 0.0

    def tick(self, seconds: float = 1.0) -> None:
        self.passed += seconds

    def time(self) -> float:
        return BEGIN + self.passed

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def clock_gettime(self, _clock: int) -> float:
        return self.monotonic()


class Numbers:
    """Counts where the gateway asks for chance; each size of random bytes is counted by itself."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._bytes: dict[int, Iterator[int]] = defaultdict(lambda: itertools.count(1))

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(f"00000000-0000-4000-8000-{next(self._ids):012x}")

    def token_bytes(self, length: int = 32) -> bytes:
        mark = f"{length} {next(self._bytes[length])}"
        return hashlib.shake_256(mark.encode()).digest(length)

    def token_hex(self, length: int = 32) -> str:
        return self.token_bytes(length).hex()

    @staticmethod
    def choice(values: Sequence[T]) -> T:
        return values[0]


def _stand_still(_loop: Loop, _first_pause: float) -> None:
    """What goes on by itself would come at another moment in each run: only what is asked, or told, happens."""


@contextmanager
def determined() -> Iterator[StandingTime]:
    standing, numbers = StandingTime(), Numbers()
    with ExitStack() as stack:
        for name in ("token_bytes", "token_hex", "choice"):
            stack.enter_context(patch.object(secrets, name, getattr(numbers, name)))
        stack.enter_context(patch.object(uuid, "uuid4", numbers.uuid4))
        stack.enter_context(patch("gateway.clock.time", standing))
        stack.enter_context(patch("drivers.memory.statistics.time", standing))
        stack.enter_context(patch.object(clock, "CLOCK", clock.Clock(standing.time, standing.monotonic)))
        stack.enter_context(patch.object(Loop, "start", _stand_still))
        yield standing


async def breathe() -> None:
    """Let what is ready go on."""
    for _ in range(5):
        await asyncio.sleep(0)
