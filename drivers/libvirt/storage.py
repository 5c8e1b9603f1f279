"""Volumes in libvirt's storage pools. Formats are always said, never probed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import libvirt
from lxml import etree

from drivers.base import (
    BaseVolume,
    DriverBusy,
    DriverConflict,
    DriverNotFound,
    NewVolume,
    PoolFacts,
    PoolSettings,
    Progress,
    VolumeContent,
    VolumeFacts,
    checked_name,
)
from drivers.libvirt.connection import Connection
from drivers.libvirt.disk_source import DiskSource
from drivers.libvirt.domain_xml import child
from drivers.libvirt.errors import read_each
from drivers.libvirt.lanes import Lane
from drivers.libvirt.pool_xml import BUILT, pool_xml
from drivers.libvirt.streams import Streams

T = TypeVar("T")
FILE_POOLS = frozenset({"dir", "fs", "netfs"})
CREATING_POOLS = FILE_POOLS | {"logical", "rbd", "zfs", "disk"}
GROWING_POOLS = FILE_POOLS | {"rbd"}
WHOLE_POOLS = frozenset({"logical"})
"""Volumes take all their room at once: a sparse one breaks as soon as more is written than libvirt set aside for it."""
WIPED_POOLS = frozenset({"logical", "disk"})
"""Pools where room that a volume gives back comes to the next one with the bytes in it."""
TRIES = 20
STORAGE_DEADLINE = 3600.0
WIPING_DEADLINE = 24 * 3600.0
"""Writing zeros over a volume takes as long as its disk takes to be written."""
POOL_DEADLINE = 120.0
"""Starting a pool may log in to a target, or mount an export."""


def volume_xml(
    name: str, format: str, capacity: int, backing: tuple[str, str] | None = None, *, whole: bool = False
) -> str:
    """Return libvirt's XML of a volume of this capacity in bytes.

    ``backing`` is path and format of the volume below; ``whole`` when all bytes are to be allocated at once.
    """
    volume = etree.Element("volume")
    child(volume, "name", name)
    child(volume, "capacity", str(capacity), unit="bytes")
    child(volume, "allocation", str(capacity if whole else 0), unit="bytes")
    target = child(volume, "target")
    child(target, "format", type=format)
    if backing is not None:
        store = child(volume, "backingStore")
        child(store, "path", backing[0])
        child(store, "format", type=backing[1])
    return etree.tostring(volume, encoding="unicode")


class Storage:
    """The part ``storage`` of the driver (drivers.base.StorageCalls)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._streams = Streams(connection)

    async def in_pool(
        self,
        pool: str,
        work: Callable[[libvirt.virStoragePool], T],
        lane: Lane = Lane.STORAGE,
        deadline: float = STORAGE_DEADLINE,
    ) -> T:
        """Work in a pool; when another client refreshes it, wait and try again, a bounded number of times."""
        for attempt in range(TRIES):
            try:
                return await self._connection.call(
                    lambda handle: work(handle.storagePoolLookupByName(pool)), lane=lane, deadline=deadline
                )
            except DriverBusy:
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(0.05 * (attempt + 1))
        raise AssertionError("unreachable")

    async def list_pools(self) -> tuple[PoolFacts, ...]:
        """Return all pools by one listing."""
        return await self._connection.call(
            lambda handle: read_each(handle.listAllStoragePools(), _pool, libvirt.VIR_ERR_NO_STORAGE_POOL)
        )

    async def read_pool(self, name: str) -> PoolFacts:
        """Return the pool, read on the lane of control."""
        return await self.in_pool(name, _pool, Lane.CONTROL)

    async def read_volume(self, pool: str, name: str) -> VolumeFacts:
        """Return the volume; one made behind libvirt's back shows after a refresh of the pool."""
        return await self.in_pool(pool, lambda holder: _volume(pool, lookup(holder, name)))

    async def list_volumes(self, pool: str) -> tuple[VolumeFacts, ...]:
        """Return the volumes that libvirt knows without a refresh of the pool."""
        return await self.in_pool(
            pool,
            lambda holder: read_each(
                holder.listAllVolumes(), lambda volume: _volume(pool, volume), libvirt.VIR_ERR_NO_STORAGE_VOL
            ),
        )

    async def sources(self, volumes: list[tuple[str, str]]) -> dict[tuple[str, str], DiskSource]:
        """Return where the volumes are, by pool and name, in one call for each pool."""
        sources: dict[tuple[str, str], DiskSource] = {}
        for pool in {pool for pool, _ in volumes}:
            names = [name for owner, name in volumes if owner == pool]
            places = await self.in_pool(pool, lambda held, names=names: [_source(held, name) for name in names])  # type: ignore[misc]
            sources.update({(pool, name): source for name, source in zip(names, places, strict=True)})
        return sources

    async def source(self, pool: str, volume: str) -> DiskSource:
        """Return where the volume is."""
        return (await self.sources([(pool, volume)]))[(pool, volume)]

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Make the volume, which takes all its room at once where a sparse one would break."""
        return await self._create(pool, checked_name(name), format, capacity)

    async def overlay_volume(self, pool: str, name: str, base: str, base_format: str, capacity: int) -> VolumeFacts:
        """Make the volume with the format of ``base`` said, so that it is never probed."""
        below = await self.read_volume(pool, base)
        size = max(capacity, below.capacity)
        return await self._create(pool, checked_name(name), "qcow2", size, (below.path, base_format))

    async def _create(
        self, pool: str, name: str, format: str, capacity: int, backing: tuple[str, str] | None = None
    ) -> VolumeFacts:
        """Make the volume, or take the one of this name that an interrupted run made."""

        def work(holder: libvirt.virStoragePool) -> VolumeFacts:
            xml = volume_xml(name, format, capacity, backing, whole=_kind(holder) in WHOLE_POOLS)
            return _volume(pool, holder.createXML(xml, 0))

        try:
            return await self.in_pool(pool, work)
        except DriverConflict:
            return await self.read_volume(pool, name)

    async def clone_volume(self, volume: NewVolume, base: BaseVolume, progress: Progress) -> VolumeFacts:
        """Copy by libvirt itself; how far that is shows by the copy's allocation twice a second."""
        pool, name, capacity = volume.pool, checked_name(volume.name), volume.capacity
        below = await self.read_volume(base.pool or pool, base.name)
        _must_be(below, base.format)
        await self.delete_volume(pool, name)

        def work(target_pool: libvirt.virStoragePool) -> None:
            whole = _kind(target_pool) in WHOLE_POOLS
            xml = volume_xml(name, volume.format, max(capacity, below.capacity), whole=whole)
            same = below.pool == pool
            holding = target_pool if same else target_pool.connect().storagePoolLookupByName(below.pool)
            made = target_pool.createXMLFrom(xml, lookup(holding, base.name), 0)
            if capacity > made.info()[1]:
                made.resize(capacity)

        cloning = asyncio.ensure_future(self.in_pool(pool, work))
        try:
            while not (await asyncio.wait({cloning}, timeout=0.5))[0]:
                await self._report(pool, name, below.allocation, progress)
            cloning.result()
        except BaseException:
            await asyncio.gather(cloning, return_exceptions=True)
            await asyncio.shield(self.delete_volume(pool, name))
            raise
        return await self.read_volume(pool, name)

    async def grow_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """Make the volume larger by libvirt, unless it is as large already."""

        def work(holder: libvirt.virStoragePool) -> VolumeFacts:
            volume = lookup(holder, name)
            facts = _volume(pool, volume)
            _must_be(facts, format)
            if facts.capacity >= capacity:
                return facts
            volume.resize(capacity, 0)
            return _volume(pool, volume)

        return await self.in_pool(pool, work)

    async def _report(self, pool: str, name: str, total: int, progress: Progress) -> None:
        try:
            made = await self.in_pool(pool, lambda holder: _volume(pool, lookup(holder, name)), Lane.CONTROL)
        except (DriverNotFound, DriverConflict, DriverBusy):
            return
        progress(min(made.allocation, total), max(total, 1))

    async def upload_volume(self, pool: str, name: str, content: VolumeContent, progress: Progress) -> VolumeFacts:
        """Send the bytes by a stream of a connection apart; the pieces wait for libvirt, so memory stays flat."""
        checked_name(name)
        await self.in_pool(pool, lambda holder: _delete_leftover(holder, name), deadline=WIPING_DEADLINE)
        creating = asyncio.ensure_future(self._create(pool, name, "raw", content.size))
        try:
            await asyncio.shield(creating)
            await self._streams.upload(pool, name, content.size, content.data, progress)
            if content.format != "raw":
                # Only a refresh makes libvirt look at the capacity which the bytes say.
                await self._refresh(pool)
            return await self.read_volume(pool, name)
        except BaseException:
            # A cancelled call goes on in its thread: what it makes must be there before it can be removed.
            await asyncio.gather(creating, return_exceptions=True)
            await asyncio.shield(self.delete_volume(pool, name))
            raise

    def download_volume(self, pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes by streams of a connection apart, a part at a time."""
        return self._streams.download(pool, name, offset, length)

    async def _refresh(self, pool: str) -> None:
        await self.in_pool(pool, lambda holder: holder.refresh(0))

    async def delete_volume(self, pool: str, name: str) -> None:
        """Remove the volume, also one that libvirt still fills for a client that is gone.

        libvirt offers no way to break that off, so the volume is asked for until it is no longer busy.
        """

        def work(holder: libvirt.virStoragePool) -> None:
            _remove(holder, lookup(holder, name))

        until = time.monotonic() + STORAGE_DEADLINE
        while True:
            try:
                await self.in_pool(pool, work, deadline=WIPING_DEADLINE)
            except DriverNotFound:
                return
            except DriverBusy:
                if time.monotonic() > until:
                    raise
            else:
                return

    async def ensure_pool(self, settings: PoolSettings) -> None:
        """Define and start the pool; its directory is made where that takes nothing over."""
        xml = pool_xml(settings)

        def work(handle: libvirt.virConnect) -> None:
            try:
                pool = handle.storagePoolLookupByName(settings.name)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_POOL:
                    raise
                pool = handle.storagePoolDefineXML(xml, 0)
                pool.setAutostart(1)
            if pool.isActive():
                return
            if settings.kind in BUILT:
                pool.build(0)
            pool.create(0)

        await self._connection.call(work, lane=Lane.STORAGE, deadline=POOL_DEADLINE)

    async def start_pool(self, name: str) -> None:
        """Start the pool, which may log in to a target, or mount an export."""

        def work(pool: libvirt.virStoragePool) -> None:
            if not pool.isActive():
                pool.create(0)

        await self.in_pool(name, work, deadline=POOL_DEADLINE)

    def can_overlay(self, pool: PoolFacts) -> bool:
        """Return whether the pool is one of files."""
        return pool.kind in FILE_POOLS

    def can_create(self, pool: PoolFacts) -> bool:
        """Return whether libvirt can make volumes in pools of this kind."""
        return pool.kind in CREATING_POOLS

    def can_grow(self, pool: PoolFacts) -> bool:
        """Return whether libvirt can make volumes in pools of this kind larger."""
        return pool.kind in GROWING_POOLS

    def formats(self, pool: PoolFacts) -> tuple[str, ...]:
        """Return qcow2 and raw for a pool of files, and raw alone for all others."""
        return ("qcow2", "raw") if pool.kind in FILE_POOLS else ("raw",)


def _must_be(volume: VolumeFacts, format: str | None) -> None:
    """Raise DriverConflict when the volume's bytes look like another format.

    A guest may write another format's header into its raw disk; whoever believed it would follow what it names.
    """
    if format is not None and volume.format != format:
        raise DriverConflict(
            f"{volume.name} is {format}, but its first bytes look like {volume.format}: its guest wrote them; it is "
            "not touched by tools that would believe them"
        )


def _source(pool: libvirt.virStoragePool, name: str) -> DiskSource:
    path = lookup(pool, name).path()
    return DiskSource.at(path, "" if path.startswith("/") else pool.XMLDesc(0))


def lookup(pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol:
    """Return the volume of this name; one made behind libvirt's back shows after a refresh."""
    try:
        return pool.storageVolLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise
        return _after_refresh(pool, name)


def _delete_leftover(pool: libvirt.virStoragePool, name: str) -> None:
    """Remove what an interrupted run left; libvirt knows it, since it made it."""
    try:
        _remove(pool, pool.storageVolLookupByName(name))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_VOL:
            raise


def _remove(pool: libvirt.virStoragePool, volume: libvirt.virStorageVol) -> None:
    """Remove the volume; nobody whose volume takes the same room is to find the bytes of this one."""
    if _kind(pool) in WIPED_POOLS:
        _wipe(volume)
    volume.delete(0)


def _wipe(volume: libvirt.virStorageVol) -> None:
    try:
        volume.wipe(0)
    except libvirt.libvirtError as error:
        # A sparse one, which the gateway makes no more, and libvirt does not wipe.
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise


def _after_refresh(pool: libvirt.virStoragePool, name: str) -> libvirt.virStorageVol:
    pool.refresh(0)
    return pool.storageVolLookupByName(name)


def _kind(pool: libvirt.virStoragePool) -> str:
    return str(etree.fromstring(pool.XMLDesc(0)).get("type"))


def _pool(pool: libvirt.virStoragePool) -> PoolFacts:
    root = etree.fromstring(pool.XMLDesc(0))
    _state, capacity, _allocation, available = pool.info()
    kind = str(root.get("type"))
    path = root.findtext("target/path") if kind in FILE_POOLS else None
    return PoolFacts(pool.name(), kind, bool(pool.isActive()), capacity, available, path)


def _volume(pool: str, volume: libvirt.virStorageVol) -> VolumeFacts:
    """Return the volume's facts by one call: many are read at once."""
    root = etree.fromstring(volume.XMLDesc(0))
    format_element = root.find("target/format")
    return VolumeFacts(
        pool=pool,
        name=volume.name(),
        path=root.findtext("target/path") or "",
        format=str(format_element.get("type")) if format_element is not None else "raw",
        capacity=int(root.findtext("capacity") or 0),
        allocation=int(root.findtext("allocation") or 0),
        backing=root.findtext("backingStore/path"),
        physical=int(root.findtext("physical") or root.findtext("capacity") or 0),
    )
