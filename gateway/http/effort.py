"""Limits of what an answer may cost: others get their turns of the event loop meanwhile, and an answer has an end."""

from __future__ import annotations

import asyncio
import time

TURN_SECONDS = 0.005
"""How long an answer is worked on before others get their turn."""
MOST_EXPANDED = 5_000
"""Resources that stand expanded inside one answer."""
MOST_BYTES = 8 * 1024**2
"""Bytes, as the store keeps them, with which a page ends."""
MUCH = 100
"""Resources from which on an answer is encoded beside the event loop."""
MUCH_BYTES = 256 * 1024
"""Bytes from which on it is, however few resources they are."""


class Effort:
    """The resources, and their bytes, that one answer has come to so far."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0
        self._bytes = 0

    @property
    def spent(self) -> tuple[int, int]:
        """Return the resources so far, and their bytes."""
        return self._spent, self._bytes

    async def spend(self, size: int, resources: int = 1) -> None:
        """Count resources and their bytes, and let others have their turn when it is time."""
        self._spent += resources
        self._bytes += size
        if time.perf_counter() - self._began > TURN_SECONDS:
            await asyncio.sleep(0)
            self._began = time.perf_counter()

    @property
    def exhausted(self) -> bool:
        """Return whether no more may be expanded."""
        return self._spent >= MOST_EXPANDED or self.full

    @property
    def full(self) -> bool:
        """Return whether the page ends here."""
        return self._bytes >= MOST_BYTES

    @property
    def left(self) -> int:
        """Return the bytes that may still come."""
        return max(0, MOST_BYTES - self._bytes)


def is_much(resources: int, size: int) -> bool:
    """Return whether it takes its time to encode so many resources of so many bytes together."""
    return resources > MUCH or size > MUCH_BYTES
