"""A qcow2 image written in one go from front to back (QEMU's docs/interop/qcow2): all tables first, then the clusters.

That needs no way back in the file, so an image can be made while it streams into a pool.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence

BITS = 16
CLUSTER = 1 << BITS
"""Bytes."""
IN_TABLE = CLUSTER // 8
"""Entries of an L1, L2 or refcount table's cluster."""
SPAN = IN_TABLE * CLUSTER
"""Bytes of the disk that one L2 table is about."""
IN_BLOCK = CLUSTER // 2
"""Clusters that one refcount block counts."""
COPIED = 1 << 63
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")


class Qcow2Layout:
    """The places of all parts of an image.

    ``counts`` are, for each SPAN of the disk, how many of its clusters hold something.
    """

    def __init__(self, virtual_size: int, counts: Sequence[int]) -> None:
        self._virtual_size = virtual_size
        self._counts = counts
        self._l1 = _clusters(len(counts) * 8)
        self._l2 = sum(1 for count in counts if count)
        self._blocks, self._directory = self._counting(1 + self._l1 + self._l2 + sum(counts))
        self._first_l1 = 1 + self._directory + self._blocks
        self._total = self._first_l1 + self._l1 + self._l2 + sum(counts)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self._total * CLUSTER

    def _counting(self, others: int) -> tuple[int, int]:
        """Return how many refcount blocks there are, and clusters of the table that names them.

        They count themselves, too.
        """
        blocks = directory = 1
        while True:
            directory = _clusters(blocks * 8)
            needed = -(-(others + blocks + directory) // IN_BLOCK)
            if needed <= blocks:
                return blocks, directory
            blocks = needed

    def tables(self, held: Callable[[int], Sequence[int]]) -> Iterator[bytes]:
        """Yield all that stands before the clusters.

        ``held(number)`` returns which clusters of a SPAN hold something, in order.
        """
        yield self._header()
        yield from _table((1 + self._directory + number) * CLUSTER for number in range(self._blocks))
        yield from self._refcounts()
        first_l2 = self._first_l1 + self._l1
        numbers = iter(range(first_l2, first_l2 + self._l2))
        yield from _table(next(numbers) * CLUSTER | COPIED if count else 0 for count in self._counts)
        place = first_l2 + self._l2
        for number, count in enumerate(self._counts):
            if count:
                entries = array("Q", bytes(CLUSTER))
                for index in held(number):
                    entries[index] = place * CLUSTER | COPIED
                    place += 1
                yield _big_endian(entries)

    def _header(self) -> bytes:
        header = HEADER.pack(
            b"QFI\xfb", 3, 0, 0, BITS, self._virtual_size, 0, len(self._counts), self._first_l1 * CLUSTER,
            CLUSTER, self._directory, 0, 0, 0, 0, 0, 4, HEADER.size,
        )  # fmt: skip
        return header.ljust(CLUSTER, b"\0")

    def _refcounts(self) -> Iterator[bytes]:
        """Yield the refcount blocks: each cluster of the file is used once."""
        left = self._total
        for _ in range(self._blocks):
            counted = min(left, IN_BLOCK)
            yield (b"\0\1" * counted).ljust(CLUSTER, b"\0")
            left -= counted


def _clusters(length: int) -> int:
    return -(-length // CLUSTER)


def _table(entries: Iterator[int]) -> Iterator[bytes]:
    """Yield whole clusters of big-endian entries, filled up with zeros."""
    cluster = array("Q")
    for entry in entries:
        cluster.append(entry)
        if len(cluster) == IN_TABLE:
            yield _big_endian(cluster)
            cluster = array("Q")
    if cluster:
        yield _big_endian(cluster).ljust(CLUSTER, b"\0")


def _big_endian(entries: array[int]) -> bytes:
    if sys.byteorder == "little":
        entries.byteswap()
    return entries.tobytes()
