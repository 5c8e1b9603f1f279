"""Pools and volumes in memory."""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator
from dataclasses import replace

from drivers.base import (
    BaseVolume,
    DriverFailed,
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    Hole,
    NewVolume,
    PoolFacts,
    PoolSettings,
    Progress,
    VolumeContent,
    VolumeFacts,
)
from drivers.base.storage import NAME
from drivers.memory.state import MemoryState

CLUSTER = 65536


def _demand_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise DriverInvalid(f"{name[:80]!r} is no name for a volume")


def empty_qcow2(size: int) -> bytes:
    """Return an image of this virtual size in bytes, with nothing written yet: header, refcounts, and first table."""
    entries = max(1, -(-size // (CLUSTER * (CLUSTER // 8))))
    head = b"QFI\xfb" + struct.pack(">IQIIQIIQQIIQ", 3, 0, 0, 16, size, 0, entries, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    head += struct.pack(">QQQII", 0, 0, 0, 4, 104)
    return head.ljust(3 * CLUSTER + entries * 8, b"\0").ljust(4 * CLUSTER, b"\0")


class MemoryStorage:
    """The part ``storage`` of the driver (drivers.base.StorageCalls)."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    async def list_pools(self) -> tuple[PoolFacts, ...]:
        """Return all pools, by their names."""
        self._state.enter("storage.list_pools")
        return tuple([await self.read_pool(name) for name in sorted(self._state.pool_names())])

    async def read_pool(self, name: str) -> PoolFacts:
        """Return the pool, as large as all are, with what its volumes leave."""
        self._state.enter("storage.read_pool", name)
        used = sum(volume.allocation for volume in self._state.volumes.values() if volume.pool == name)
        kind, running = self._state.pool_kinds.get(name, "dir"), name not in self._state.inactive_pools
        return PoolFacts(name, kind, running, self._state.pool_capacity, self._state.pool_capacity - used, f"/{name}")

    async def read_volume(self, pool: str, name: str) -> VolumeFacts:
        """Return the facts of the volume as they are kept."""
        self._state.enter("storage.read_volume", pool)
        if (pool, name) not in self._state.volumes:
            raise DriverNotFound(f"there is no volume {name}")
        return self._state.volumes[(pool, name)]

    async def list_volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        """Return the facts of the pool's volumes as they are kept."""
        self._state.enter("storage.list_volumes", pool)
        return tuple(volume for volume in self._state.volumes.values() if volume.pool == pool)

    async def _keep(self, volume: NewVolume, allocation: int, backing: str | None = None) -> VolumeFacts:
        pool, name = volume.pool, volume.name
        if allocation > (await self.read_pool(pool)).available:
            raise DriverNoSpace(f"the pool {pool} is full")
        unwritten = volume.capacity if volume.format == "raw" else max(allocation, 4096)
        physical = len(self._state.contents.get((pool, name), b"")) or unwritten
        kept = VolumeFacts(pool, name, f"/{pool}/{name}", volume.format, volume.capacity, allocation, backing, physical)
        return self._state.volumes.setdefault((pool, name), kept)

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Make the volume; one of qcow2 has the bytes of an empty image."""
        _demand_name(name)
        self._state.enter("storage.create_volume")
        if format == "qcow2":
            self._state.contents.setdefault((pool, name), empty_qcow2(capacity))
        whole = (await self.read_pool(pool)).kind == "logical"
        return await self._keep(NewVolume(pool, name, format, capacity), capacity if whole else 0)

    async def overlay_volume(self, pool: str, name: str, base: str, base_format: str, capacity: int) -> VolumeFacts:
        """Make the volume, with the bytes of ``base`` for its own."""
        _demand_name(name)
        self._state.enter("storage.overlay_volume")
        below = await self.read_volume(pool, base)
        if (pool, base) in self._state.contents:
            self._state.contents.setdefault((pool, name), self._state.contents[(pool, base)])
        return await self._keep(NewVolume(pool, name, "qcow2", max(capacity, below.capacity)), 4096, below.path)

    async def clone_volume(self, volume: NewVolume, base: BaseVolume, progress: Progress) -> VolumeFacts:
        """Make the copy at once, with the bytes of ``base``."""
        _demand_name(volume.name)
        self._state.enter("storage.clone_volume")
        below = await self.read_volume(base.pool or volume.pool, base.name)
        self._state.volumes.pop((volume.pool, volume.name), None)
        self._state.contents.pop((volume.pool, volume.name), None)
        progress(1, 1)
        if (below.pool, base.name) in self._state.contents:
            self._state.contents[(volume.pool, volume.name)] = self._state.contents[(below.pool, base.name)]
        return await self._keep(replace(volume, capacity=max(volume.capacity, below.capacity)), below.allocation)

    async def grow_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Raise the volume's capacity; its bytes stay as they are."""
        self._state.enter("storage.grow_volume")
        facts = await self.read_volume(pool, name)
        self._state.volumes[(pool, name)] = replace(facts, capacity=max(capacity, facts.capacity))
        return self._state.volumes[(pool, name)]

    async def ensure_pool(self, settings: PoolSettings) -> None:
        """Note the settings in ``ensured_pools``."""
        self._state.enter("storage.ensure_pool")
        self._state.ensured_pools.append(settings)

    async def start_pool(self, name: str) -> None:
        """Start the pool, which is no more among ``inactive_pools``."""
        self._state.enter("storage.start_pool", name)
        if name in self._state.inactive_pools:
            self._state.inactive_pools.discard(name)
            self._state.pools.add(name)

    async def upload_volume(self, pool: str, name: str, content: VolumeContent, progress: Progress) -> VolumeFacts:
        """Keep the bytes; the capacity of a qcow2 image stands in them."""
        _demand_name(name)
        self._state.enter("storage.upload_volume", pool)
        self._state.volumes.pop((pool, name), None)
        self._state.contents.pop((pool, name), None)
        kept, size = bytearray(), content.size
        async for piece in content.data:
            kept += bytes(piece.length) if isinstance(piece, Hole) else piece
            progress(len(kept), size)
        if len(kept) != size:
            raise DriverInvalid(f"{len(kept)} bytes came where {size} were announced")
        capacity = int.from_bytes(kept[24:32]) if content.format == "qcow2" else size
        made = await self._keep(NewVolume(pool, name, content.format, capacity), size)
        self._state.contents[(pool, name)] = bytes(kept)
        return made

    async def download_volume(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield the kept bytes, 64 KiB at a time; a volume that was never written has zeros."""
        self._state.enter("storage.download_volume")
        facts = self._state.volume(pool, name)
        data = self._state.contents.get((pool, name), bytes(facts.physical))[offset : offset + length]
        if len(data) < length:
            raise DriverFailed(f"the volume {name} ended before its {length} bytes from {offset} on were read")
        for start in range(0, len(data), 65536):
            yield data[start : start + 65536]

    async def delete_volume(self, pool: str, name: str) -> None:
        """Forget the volume and its bytes."""
        self._state.enter("storage.delete_volume")
        self._state.volumes.pop((pool, name), None)
        self._state.contents.pop((pool, name), None)

    def can_overlay(self, pool: PoolFacts) -> bool:
        """Return whether the pool is a directory."""
        return pool.kind == "dir"

    def can_create(self, pool: PoolFacts) -> bool:
        """Return whether the pool is no iSCSI target."""
        return pool.kind != "iscsi"

    def can_grow(self, pool: PoolFacts) -> bool:
        """Return whether the pool is no volume group."""
        return pool.kind != "logical"

    def formats(self, pool: PoolFacts) -> tuple[str, ...]:
        """Return qcow2 and raw for a directory, and raw alone for all others."""
        return ("qcow2", "raw") if pool.kind == "dir" else ("raw",)
