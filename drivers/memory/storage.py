"""Pools and volumes in memory."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

from drivers.base import (
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    Hole,
    PoolFacts,
    PoolSettings,
    Progress,
    VolumeFacts,
)
from drivers.memory.host import MemoryHost

CLUSTER = 65536


def empty_qcow2(size: int) -> bytes:
    """An image of this virtual size in which nothing was written yet: header, refcounts, and its first table."""
    entries = max(1, -(-size // (CLUSTER * (CLUSTER // 8))))
    head = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", 3, 0, 0, 16, size, 0, entries, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    head += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    return head.ljust(3 * CLUSTER + entries * 8, b"\0").ljust(4 * CLUSTER, b"\0")


class MemoryStorage(MemoryHost):
    """Implements drivers.base.StorageCalls."""

    async def pools(self) -> tuple[PoolFacts, ...]:
        return (await self.pool("default"),)

    async def pool(self, name: str) -> PoolFacts:
        self.enter("pool")
        used = sum(volume.allocation for volume in self.stored.values() if volume.pool == name)
        kind, running = self.pool_kinds.get(name, "dir"), name not in self.inactive
        return PoolFacts(name, kind, running, self.pool_capacity, self.pool_capacity - used, f"/{name}")

    async def volume(self, pool: str, name: str) -> VolumeFacts:
        self.enter("volume")
        if (pool, name) not in self.stored:
            raise DriverNotFound(f"there is no volume {name}")
        return self.stored[(pool, name)]

    async def volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        self.enter("volumes")
        return tuple(volume for volume in self.stored.values() if volume.pool == pool)

    async def _keep(
        self, pool: str, name: str, format: str, capacity: int, allocation: int, backing: str | None = None
    ) -> VolumeFacts:
        if allocation > (await self.pool(pool)).available:
            raise DriverNoSpace(f"the pool {pool} is full")
        physical = len(self.contents.get((pool, name), b"")) or max(allocation, 4096)
        kept = VolumeFacts(pool, name, f"/{pool}/{name}", format, capacity, allocation, backing, physical)
        return self.stored.setdefault((pool, name), kept)

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        self.enter("create_volume")
        if format == "qcow2":
            self.contents.setdefault((pool, name), empty_qcow2(capacity))
        whole = (await self.pool(pool)).kind == "logical"
        return await self._keep(pool, name, format, capacity, capacity if whole else 0)

    async def overlay_volume(self, pool: str, name: str, base: str, base_format: str, capacity: int) -> VolumeFacts:
        self.enter("overlay_volume")
        below = await self.volume(pool, base)
        if (pool, base) in self.contents:
            self.contents.setdefault((pool, name), self.contents[(pool, base)])
        return await self._keep(pool, name, "qcow2", max(capacity, below.capacity), 4096, below.path)

    async def clone_volume(
        self,
        pool: str,
        name: str,
        base: str,
        format: str,
        capacity: int,
        progress: Progress,
        *,
        base_pool: str | None = None,
        base_format: str | None = None,
    ) -> VolumeFacts:
        self.enter("clone_volume")
        below = await self.volume(base_pool or pool, base)
        progress(1, 1)
        if (below.pool, base) in self.contents:
            self.contents[(pool, name)] = self.contents[(below.pool, base)]
        return await self._keep(pool, name, format, max(capacity, below.capacity), below.allocation)

    async def grow_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        self.enter("grow_volume")
        known = await self.volume(pool, name)
        self.stored[(pool, name)] = replace(known, capacity=max(capacity, known.capacity))
        return self.stored[(pool, name)]

    async def ensure_pool(self, settings: PoolSettings) -> None:
        self.enter("ensure_pool")
        self.ensured.append(settings)

    async def start_pool(self, name: str) -> None:
        self.enter("start_pool")
        self.inactive.discard(name)

    async def upload_volume(
        self, pool: str, name: str, format: str, size: int, data: AsyncIterator[bytes | Hole], progress: Progress
    ) -> VolumeFacts:
        self.enter("upload_volume")
        kept = bytearray()
        async for piece in data:
            kept += bytes(piece.length) if isinstance(piece, Hole) else piece
            progress(len(kept), size)
        if len(kept) != size:
            raise DriverInvalid(f"{len(kept)} bytes came where {size} were announced")
        self.stored.pop((pool, name), None)
        capacity = int.from_bytes(kept[24:32]) if format == "qcow2" else size
        made = await self._keep(pool, name, format, capacity, size)
        self.contents[(pool, name)] = bytes(kept)
        return made

    async def download_volume(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        self.enter("download_volume")
        data = self.contents[(pool, name)][offset : offset + length]
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    async def delete_volume(self, pool: str, name: str) -> None:
        self.enter("delete_volume")
        self.stored.pop((pool, name), None)
        self.contents.pop((pool, name), None)

    def can_overlay(self, pool: PoolFacts) -> bool:
        return pool.kind == "dir"

    def can_create(self, pool: PoolFacts) -> bool:
        return pool.kind != "iscsi"

    def can_grow(self, pool: PoolFacts) -> bool:
        return pool.kind != "logical"

    def formats(self, pool: PoolFacts) -> tuple[str, ...]:
        return ("qcow2", "raw") if pool.kind == "dir" else ("raw",)
