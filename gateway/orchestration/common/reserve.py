"""Room on the store's disk that nothing but the store takes.

The staging directory usually lies on the same disk: whoever filled that would keep everybody else from writing. So what
puts bytes down asks here before each piece, and stops while there is still room for the store.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from gateway.errors import NoSpace

LOOK_EVERY = 0.1
"""Seconds between two looks at the disk while another program writes to it."""


class Reserve:
    """The ``size`` bytes that are kept free for the store on the file system that the store's directory is on.

    On any other file system nothing is kept free.
    """

    def __init__(self, store: Path, size: int) -> None:
        self._store = store
        self.size = size

    def demand(self, place: int | Path, more: int = 0) -> None:
        """Raise NoSpace when ``more`` bytes at this place, an open file or a directory, would begin on the reserve.

        The method blocks for as long as the file system takes to tell.
        """
        if self.kept_at(place) and self.left(place) < more:
            raise NoSpace(
                f"the disk of the gateway's store has no room for this beside the {self.size} bytes that are kept free "
                "for the store ([images] reserve); free some space"
            )

    def left(self, place: int | Path) -> int:
        """Return how many bytes may still be put down at this place, less than 0 when the reserve is begun on."""
        disk = os.statvfs(place)
        return disk.f_bavail * disk.f_frsize - self.kept_at(place)

    def kept_at(self, place: int | Path) -> int:
        """Return how many bytes of the file system that this place is on are the store's."""
        facts = os.fstat(place) if isinstance(place, int) else place.stat()
        return self.size if facts.st_dev == self._store.stat().st_dev else 0

    async def watch(self, directory: Path, work: Coroutine[Any, Any, None]) -> None:
        """Do the work, in which another program writes below the directory; cancel it when it begins on the reserve.

        The work is not begun where the reserve is begun on already. Raises NoSpace in both cases, and what the work
        raises.
        """
        try:
            await asyncio.to_thread(self.demand, directory)
        except BaseException:
            work.close()
            raise
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_EVERY))[0]:
                await asyncio.to_thread(self.demand, directory)
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
