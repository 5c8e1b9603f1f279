"""How much one answer may cost: others get their turns of the event loop meanwhile, and an answer has an end."""

from __future__ import annotations

import asyncio
import time

TURN_SECONDS = 0.02
"""How long an answer is worked on before others get their turn."""
MOST_EXPANDED = 5_000
"""Resources that stand expanded inside one answer."""
MUCH = 100
"""Resources from which on an answer is encoded beside the event loop."""


class Effort:
    """The resources that one answer has come to so far."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0

    async def spend(self) -> None:
        """Count one resource, and let others have their turn when it is time."""
        self._spent += 1
        if time.perf_counter() - self._began > TURN_SECONDS:
            await asyncio.sleep(0)
            self._began = time.perf_counter()

    @property
    def exhausted(self) -> bool:
        """Whether no more may be expanded."""
        return self._spent >= MOST_EXPANDED

    @property
    def much(self) -> bool:
        """Whether it takes its time to encode the answer."""
        return self._spent > MUCH
