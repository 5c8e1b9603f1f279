"""A streamOptimized vmdk unpacked into a qcow2 image while it is copied, without a file in between.

Its grains are found by its own tables (VMware Virtual Disk Format 5.0), each is 64 KiB of the disk, which is one
cluster of the qcow2. What the tables say is believed as little as the rest: every place is checked when it is read.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import zlib
from array import array
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from drivers.base import DriverInvalid, FilePart
from drivers.images.qcow2_writing import CLUSTER, SPAN, Qcow2Layout
from drivers.images.vmdk import AT_END, SECTOR, read_vmdk
from drivers.images.window import FileWindow, Window

COMPRESSED, MARKERS = 1 << 16, 1 << 17
DEFLATE = 1
GRAIN_SECTORS = CLUSTER // SECTOR
IN_TABLE = 512
"""Grains that one grain table names."""
TABLES = SPAN // (IN_TABLE * CLUSTER)
"""Grain tables that together are about what one L2 table of the qcow2 is about."""
ZERO = 1
"""Not a place: a grain of zeros."""
MARKER = struct.Struct("<QI")
LONGEST = 2 * CLUSTER
"""Bytes that a packed grain may have; one that cannot be packed is a little longer than a grain."""
AT_ONCE = 8
"""Grains that one thread unpacks before it tells."""


def unpacks(window: Window) -> bool:
    """Whether a vmdk that read_vmdk accepted is of the usual measures. Others are for qemu-img."""
    return _is_usual(window.read(0, SECTOR))


def _is_usual(header: bytes) -> bool:
    flags, grain = struct.unpack_from("<I8xQ", header, 8)
    [in_table], [method] = struct.unpack_from("<I", header, 44), struct.unpack_from("<H", header, 77)
    packed = flags & COMPRESSED and flags & MARKERS and method == DEFLATE
    return bool(packed) and (grain, in_table) == (GRAIN_SECTORS, IN_TABLE)


class UnpackedVmdk:
    """``size`` is that of the qcow2 image, in bytes. Raises DriverInvalid as soon as anything does not fit."""

    def __init__(self, place: Path | FilePart) -> None:
        self._window = FileWindow(place)
        try:
            self.virtual_size = read_vmdk(self._window)
            if not unpacks(self._window):
                raise DriverInvalid("the vmdk is not what it was when it was looked at")
            self._tables = self._grain_directory()
            self._layout = Qcow2Layout(self.virtual_size, self._counts())
        except BaseException:
            self.close()
            raise
        self.size = self._layout.size

    def close(self) -> None:
        self._window.close()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The bytes of the qcow2 image. Two threads unpack at a time."""
        tables = self._layout.tables(lambda span: [index for index, _place in self._places(span)])
        while table := await asyncio.to_thread(next, tables, b""):
            yield table
        batches = self._batches()
        nothing: list[tuple[int, int]] = []
        while batch := await asyncio.to_thread(next, batches, nothing):
            halves = batch[:AT_ONCE], batch[AT_ONCE:]
            for piece in await asyncio.gather(*(asyncio.to_thread(self._unpack, half) for half in halves)):
                yield piece
        self._window.demand_unchanged()

    def _grain_directory(self) -> array[int]:
        """Sectors of the grain tables, 0 where there is none."""
        header = self._window.read(0, SECTOR)
        if struct.unpack_from("<Q", header, 56)[0] == AT_END:
            header = self._window.read(self._window.size - 2 * SECTOR, SECTOR)
            if not _is_usual(header):
                raise DriverInvalid("the footer of the vmdk does not fit its header")
        sector = struct.unpack_from("<Q", header, 56)[0]
        tables = self._entries(sector, -(-self.virtual_size // (IN_TABLE * CLUSTER)))
        used = [table for table in tables if table]
        if len(set(used)) != len(used):
            raise DriverInvalid("the vmdk is broken: its directory names a grain table twice")
        return tables

    def _counts(self) -> array[int]:
        """Grains of each SPAN. Raises DriverInvalid as soon as there are more than the file has room for."""
        counts, left = array("I"), self._window.size // SECTOR
        for span in range(-(-self.virtual_size // SPAN)):
            counts.append(len(self._places(span)))
            left -= counts[-1]
            if left < 0:
                raise DriverInvalid("the vmdk is broken: its tables name more grains than the file holds")
        return counts

    def _entries(self, sector: int, count: int) -> array[int]:
        found = array("I", self._window.read(sector * SECTOR, count * 4))
        if sys.byteorder == "big":
            found.byteswap()
        return found

    def _places(self, span: int) -> list[tuple[int, int]]:
        """The grains of a SPAN that hold something: their number in it, and their sector in the file."""
        found = []
        for number, table in enumerate(self._tables[span * TABLES : (span + 1) * TABLES]):
            if table:
                entries = enumerate(self._entries(table, IN_TABLE), number * IN_TABLE)
                found += [(index, place) for index, place in entries if place > ZERO]
        last = -(-self.virtual_size // CLUSTER) - span * SPAN // CLUSTER
        return [entry for entry in found if entry[0] < last]

    def _batches(self) -> Iterator[list[tuple[int, int]]]:
        """Grain and sector of what holds something, in the order of the disk."""
        waiting: list[tuple[int, int]] = []
        for span in range(-(-self.virtual_size // SPAN)):
            first = span * SPAN // CLUSTER
            waiting += [(first + index, place) for index, place in self._places(span)]
            while len(waiting) >= 2 * AT_ONCE:
                yield waiting[: 2 * AT_ONCE]
                del waiting[: 2 * AT_ONCE]
        if waiting:
            yield waiting

    def _unpack(self, grains: list[tuple[int, int]]) -> bytes:
        return b"".join(self._grain(number, sector) for number, sector in grains)

    def _grain(self, number: int, sector: int) -> bytes:
        said, length = MARKER.unpack(self._window.read(sector * SECTOR, MARKER.size))
        if said != number * GRAIN_SECTORS or not 0 < length <= LONGEST:
            raise DriverInvalid(f"the vmdk is broken: there is no grain {number} where its tables say")
        packed = self._window.read(sector * SECTOR + MARKER.size, length)
        wanted = min(CLUSTER, self.virtual_size - number * CLUSTER)
        unpacking = zlib.decompressobj()
        try:
            found = unpacking.decompress(packed, CLUSTER)
            more = unpacking.decompress(unpacking.unconsumed_tail, 1)
        except zlib.error as error:
            raise DriverInvalid(f"the vmdk is broken: its grain {number} cannot be unpacked ({error})") from None
        if len(found) < wanted or more or not unpacking.eof:
            raise DriverInvalid(f"the vmdk is broken: its grain {number} is not of {CLUSTER} bytes")
        return found.ljust(CLUSTER, b"\0")
