"""A raw image in a file with holes, as a stream that leaves them out: as it is, or as a qcow2 image made on the way.

Time and room follow what the file holds, not how large it is.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from drivers.base import Hole
from drivers.images.qcow2_writing import CLUSTER, IN_TABLE, SPAN, Qcow2Layout

PIECE = 1024 * 1024


class SparseRaw:
    """A raw image's file, open until it is closed; ``size`` is in bytes."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.size = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    async def raw(self) -> AsyncGenerator[bytes | Hole, None]:
        """Yield all bytes in order, the holes as such."""
        at = 0
        for start, end in await asyncio.to_thread(lambda: list(self._extents())):
            if start > at:
                yield Hole(start - at)
            for place in range(start, end, PIECE):
                yield await asyncio.to_thread(os.pread, self._descriptor, min(PIECE, end - place), place)
            at = end
        if at < self.size:
            yield Hole(self.size - at)

    async def qcow2(self) -> tuple[int, AsyncGenerator[bytes, None]]:
        """Return how many bytes a qcow2 image with the same content has, and these bytes."""
        held = await asyncio.to_thread(self._held)
        layout = Qcow2Layout(self.size, [len(held.get(number, ())) for number in range(-(-self.size // SPAN))])
        return layout.size, self._qcow2(layout, held)

    async def _qcow2(self, layout: Qcow2Layout, held: dict[int, list[int]]) -> AsyncGenerator[bytes, None]:
        for table in layout.tables(lambda number: held.get(number, [])):
            yield table
        for number in sorted(held):
            for index in held[number]:
                yield await asyncio.to_thread(self._cluster, number * IN_TABLE + index)

    def _held(self) -> dict[int, list[int]]:
        """Return the clusters of each SPAN that hold something, in order."""
        held: dict[int, list[int]] = {}
        latest = -1
        for start, end in self._extents():
            for cluster in range(max(start // CLUSTER, latest + 1), -(-end // CLUSTER)):
                latest = cluster
                if self._cluster(cluster).strip(b"\0"):
                    held.setdefault(cluster // IN_TABLE, []).append(cluster % IN_TABLE)
        return held

    def _cluster(self, cluster: int) -> bytes:
        return os.pread(self._descriptor, CLUSTER, cluster * CLUSTER).ljust(CLUSTER, b"\0")

    def _extents(self) -> Iterator[tuple[int, int]]:
        """Yield begin and end of each part of the file that is no hole."""
        end = 0
        while end < self.size:
            try:
                start = os.lseek(self._descriptor, end, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:  # Nothing but a hole is left.
                    return
                raise
            end = os.lseek(self._descriptor, start, os.SEEK_HOLE)
            yield start, end
