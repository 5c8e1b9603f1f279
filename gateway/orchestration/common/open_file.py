"""A file that threads write while the loop goes on, and that is closed when none of them is at it any more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from drivers.threads import Threads

T = TypeVar("T")


class OpenFile:
    """A file that is open for writing, for ``async with``.

    A caller that is cancelled waits for the thread that writes for it: the thread would find the descriptor closed, or
    by then another file's.
    """

    def __init__(self, threads: Threads, opening: Callable[[], int]) -> None:
        """Take what opens the file on one of these threads, and returns its descriptor."""
        self._threads = threads
        self._opening = opening
        self._descriptor = -1

    async def __aenter__(self) -> Self:
        try:
            await self._threads.run_whole(self._open)
        except BaseException:
            await self._close()
            raise
        return self

    def _open(self) -> None:
        self._descriptor = self._opening()

    async def do(self, work: Callable[[int], T]) -> T:
        """Return what the work gives, which is called with the descriptor on a thread."""
        return await self._threads.run_whole(work, self._descriptor)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # Who hangs up must not keep the file open, even before its turn in the threads has come.
            await asyncio.shield(self._threads.run(os.close, descriptor))
