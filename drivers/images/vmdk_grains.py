"""A streamOptimized vmdk unpacked into a qcow2 image while it is copied, without a file in between.

Its grains are found by its own tables (VMware Virtual Disk Format 5.0), each is 64 KiB of the disk, which is one
cluster of the qcow2. The tables are believed as little as the rest: every place is checked when it is read.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import threading
import zlib
from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from pathlib import Path

from drivers.base import DriverInvalid, FilePart
from drivers.images.qcow2_writing import CLUSTER, SPAN, Qcow2Layout
from drivers.images.vmdk import AT_END, GRAIN_SECTORS, IN_TABLE, SECTOR, is_usual, read_vmdk, unpacks
from drivers.images.window import LARGEST, FileWindow
from drivers.threads import UNPACKING

TABLES = SPAN // (IN_TABLE * CLUSTER)
"""Grain tables that together are about what one L2 table of the qcow2 is about."""
ZERO = 1
"""Not a place: a grain of zeros."""
MARKER = struct.Struct("<QI")
LONGEST = 2 * CLUSTER
"""Bytes that a packed grain may have; one that cannot be packed is a little longer than a grain."""
SLICE = 4096
"""Grain tables that are looked at in one go."""
AT_ONCE = 8
"""Grains that one thread unpacks before it tells."""


class Layer:
    """A vmdk's part of a disk: the whole, or what differs from the layer below it."""

    def __init__(self, place: Path | FilePart, *, delta: bool, largest: int) -> None:
        self.window = FileWindow(place)
        try:
            self.virtual_size = read_vmdk(self.window, delta=delta)
            if not 0 < self.virtual_size <= largest or not unpacks(self.window):
                raise DriverInvalid("the vmdk is not what it was when it was looked at, or not streamOptimized")
            self._tables = self._grain_directory()
        except BaseException:
            self.window.close()
            raise

    def _grain_directory(self) -> array[int]:
        """Return the sectors of the grain tables, 0 where there is none."""
        header = self.window.read(0, SECTOR)
        if struct.unpack_from("<Q", header, 56)[0] == AT_END:
            header = self.window.read(self.window.size - 2 * SECTOR, SECTOR)
            if not is_usual(header):
                raise DriverInvalid("the footer of the vmdk does not fit its header")
        sector = struct.unpack_from("<Q", header, 56)[0]
        tables = self._entries(sector, -(-self.virtual_size // (IN_TABLE * CLUSTER)))
        _demand_different(tables)
        return tables

    def _entries(self, sector: int, count: int) -> array[int]:
        entries = array("I", self.window.read(sector * SECTOR, count * 4))
        if sys.byteorder == "big":
            entries.byteswap()
        return entries

    def sectors(self, span: int) -> dict[int, int]:
        """Return the sectors of the grains of a SPAN that the layer speaks of, by their number in it.

        The sector ZERO stands for a grain of zeros.
        """
        sectors: dict[int, int] = {}
        for number, table in enumerate(self._tables[span * TABLES : (span + 1) * TABLES]):
            if table:
                entries = enumerate(self._entries(table, IN_TABLE), number * IN_TABLE)
                sectors.update((index, sector) for index, sector in entries if sector)
        last = -(-self.virtual_size // CLUSTER) - span * SPAN // CLUSTER
        return {index: sector for index, sector in sectors.items() if index < last}

    def grain(self, number: int, sector: int) -> bytes:
        """Return a whole CLUSTER of the disk. Raises DriverInvalid when it is not there, or cannot be unpacked."""
        said, length = MARKER.unpack(self.window.read(sector * SECTOR, MARKER.size))
        if said != number * GRAIN_SECTORS or not 0 < length <= LONGEST:
            raise DriverInvalid(f"the vmdk is broken: there is no grain {number} where its tables say")
        packed = self.window.read(sector * SECTOR + MARKER.size, length)
        wanted = min(CLUSTER, self.virtual_size - number * CLUSTER)
        unpacking = zlib.decompressobj()
        try:
            unpacked = unpacking.decompress(packed, CLUSTER)
            more = unpacking.decompress(unpacking.unconsumed_tail, 1)
        except zlib.error as error:
            raise DriverInvalid(f"the vmdk is broken: its grain {number} cannot be unpacked ({error})") from None
        if len(unpacked) < wanted or more or not unpacking.eof:
            raise DriverInvalid(f"the vmdk is broken: its grain {number} is not of {CLUSTER} bytes")
        return unpacked.ljust(CLUSTER, b"\0")


def _demand_different(tables: array[int]) -> None:
    """Raise DriverInvalid when a grain table is named twice. There may be millions: slices let others go on."""
    seen: set[int] = set()
    for start in range(0, len(tables), SLICE):
        used = [table for table in tables[start : start + SLICE] if table]
        before = len(seen)
        seen.update(used)
        if len(seen) != before + len(used):
            raise DriverInvalid("the vmdk is broken: its directory names a grain table twice")


Grain = tuple[int, Layer, int]
"""Its number, and where it is: the layer, and the sector in that."""


class UnpackedVmdk:
    """A vmdk as the bytes of a qcow2 image; raises DriverInvalid as soon as anything does not fit.

    ``size`` is that of the qcow2 image, in bytes. ``parents`` are what the first stands on, the nearest first: where it
    says nothing, they do. A thread cannot be cancelled: who does not wait any more sets ``given_up``, and what goes
    through the tables ends at the next of them.
    """

    def __init__(
        self,
        place: Path | FilePart,
        parents: Sequence[Path | FilePart] = (),
        largest: int = LARGEST,
        given_up: threading.Event | None = None,
    ) -> None:
        self._layers: list[Layer] = []
        self._given_up = given_up or threading.Event()
        try:
            for each in (place, *parents):
                self._layers.append(Layer(each, delta=len(self._layers) < len(parents), largest=largest))
            self.virtual_size = self._layers[0].virtual_size
            if any(layer.virtual_size > self.virtual_size for layer in self._layers):
                raise DriverInvalid("the disk is smaller than its parent")
            self._layout = Qcow2Layout(self.virtual_size, self._counts())
        except BaseException:
            self.close()
            raise
        self.size = self._layout.size

    def close(self) -> None:
        """Close all files, and give up what still goes through the tables."""
        self._given_up.set()
        for layer in self._layers:
            layer.window.close()

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the qcow2 image; two threads unpack at a time."""
        tables = self._layout.tables(self._held)
        while table := await UNPACKING.run(next, tables, b""):
            yield table
        batches = self._batches()
        nothing: list[Grain] = []
        while batch := await UNPACKING.run(next, batches, nothing):
            halves = batch[:AT_ONCE], batch[AT_ONCE:]
            for piece in await asyncio.gather(*(UNPACKING.run(_unpack, half) for half in halves)):
                yield piece
        for layer in self._layers:
            layer.window.demand_unchanged()

    def _places(self, span: int) -> dict[int, tuple[Layer, int]]:
        """Return where the grains of a SPAN are that hold something, in order.

        The uppermost layer that speaks of a grain says where it is.
        """
        if self._given_up.is_set():
            raise DriverInvalid("nobody waits for it any more")
        places: dict[int, tuple[Layer, int]] = {}
        for layer in reversed(self._layers):
            places.update((index, (layer, sector)) for index, sector in layer.sectors(span).items())
        return {index: places[index] for index in sorted(places) if places[index][1] > ZERO}

    def _held(self, span: int) -> list[int]:
        return list(self._places(span))

    def _counts(self) -> array[int]:
        """Return how many grains each SPAN has.

        Raises DriverInvalid as soon as there are more than the files have room for.
        """
        counts, left = array("I"), sum(layer.window.size for layer in self._layers) // SECTOR
        for span in range(-(-self.virtual_size // SPAN)):
            counts.append(len(self._places(span)))
            left -= counts[-1]
            if left < 0:
                raise DriverInvalid("the vmdk is broken: its tables name more grains than the file holds")
        return counts

    def _batches(self) -> Iterator[list[Grain]]:
        """Yield the grains that hold something, in the order of the disk."""
        waiting: list[Grain] = []
        for span in range(-(-self.virtual_size // SPAN)):
            first = span * SPAN // CLUSTER
            waiting += [(first + index, layer, sector) for index, (layer, sector) in self._places(span).items()]
            while len(waiting) >= 2 * AT_ONCE:
                yield waiting[: 2 * AT_ONCE]
                del waiting[: 2 * AT_ONCE]
        if waiting:
            yield waiting


def _unpack(grains: list[Grain]) -> bytes:
    return b"".join(layer.grain(number, sector) for number, layer, sector in grains)
