"""Copies of the disks of active domains, by libvirt's backup: of one moment, flat, while the guest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import libvirt
from lxml import etree

from drivers.base import (
    DriverConflict,
    DriverFailed,
    DriverNotFound,
    DriverUnavailable,
    DriverUnsupported,
    Progress,
    VolumeFacts,
    checked_name,
)
from drivers.libvirt.connection import Connection
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.domain_xml import child
from drivers.libvirt.lanes import Lane
from drivers.libvirt.storage import Storage

T = TypeVar("T")
LOOK_EVERY = 0.2


def backup_xml(disks: list[str], target: str, path: str) -> str:
    """Return libvirt's XML to back up the disk ``target`` to the file ``path``, and none of the other ``disks``."""
    root = etree.Element("domainbackup", mode="push")
    listed = child(root, "disks")
    for disk in disks:
        if disk == target:
            element = child(listed, "disk", name=disk, type="file", backup="yes")
            child(element, "driver", type="qcow2")
            child(element, "target", file=path)
        else:
            child(listed, "disk", name=disk, backup="no")
    return etree.tostring(root, encoding="unicode")


class DiskCopies:
    """The part ``copies`` of the driver (drivers.base.CopyCalls)."""

    def __init__(self, connection: Connection, storage: Storage) -> None:
        self._connection = connection
        self._storage = storage

    async def _with(self, uuid: str, work: Callable[[libvirt.virDomain], T]) -> T:
        return await self._connection.call(lambda handle: work(handle.lookupByUUIDString(uuid)), lane=Lane.STORAGE)

    async def make(self, uuid: str, target: str, pool: str, name: str, progress: Progress) -> VolumeFacts:
        """Copy the disk by libvirt's backup; one that an interrupted run began is followed to its end."""
        path = await self._path(pool, name)
        try:
            if await self._with(uuid, _destination) != path:
                await self._storage.delete_volume(pool, name)
                await self._with(uuid, lambda domain: _begin(domain, target, path))
            await self._follow(uuid, progress)
        except DriverUnavailable:
            raise
        except BaseException:
            await asyncio.shield(self.discard(uuid, pool, name))
            raise
        return await self._storage.read_volume(pool, name)

    async def _path(self, pool: str, name: str) -> str:
        facts = await self._storage.read_pool(pool)
        if facts.path is None:
            raise DriverUnsupported(f"a running disk is copied to a pool of files only; {pool} is {facts.kind}")
        return f"{facts.path}/{checked_name(name)}"

    async def _follow(self, uuid: str, progress: Progress) -> None:
        while stats := await self._with(uuid, _at_work):
            progress(stats.get("disk_processed", 0), max(stats.get("disk_total", 0), 1))
            await asyncio.sleep(LOOK_EVERY)
        ended = await self._with(uuid, lambda domain: domain.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED))
        if not ended.get("success"):
            raise DriverFailed(f"the disk was not copied: {ended.get('errmsg') or 'the copy was cancelled'}")

    async def discard(self, uuid: str, pool: str, name: str) -> None:
        """Cancel the backup when it is the one that writes this file, and remove the file."""
        with suppress(DriverNotFound, DriverConflict, DriverUnsupported):
            path = await self._path(pool, name)
            await self._with(uuid, lambda domain: _cancel(domain, path))
        await self._storage.delete_volume(pool, name)


def _destination(domain: libvirt.virDomain) -> str | None:
    """Return the file which a backup at work writes, None when there is none.

    Raises DriverConflict when the domain is not active.
    """
    if not domain.isActive():
        raise DriverConflict("the guest is not running")
    try:
        root = etree.fromstring(domain.backupGetXMLDesc(0), PARSER)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_BACKUP:
            raise
        return None
    target = root.find("disks/disk/target[@file]")
    return target.get("file") if target is not None else None


def _begin(domain: libvirt.virDomain, target: str, path: str) -> None:
    root = etree.fromstring(domain.XMLDesc(0), PARSER)
    disks = [str(target_element.get("dev")) for target_element in root.iterfind("devices/disk/target")]
    if target not in disks:
        raise DriverNotFound(f"the domain has no disk {target}")
    domain.backupBegin(backup_xml(disks, target, path), None, 0)


def _at_work(domain: libvirt.virDomain) -> dict[str, Any] | None:
    stats: dict[str, Any] = domain.jobStats()
    return stats if stats.get("type") else None


def _cancel(domain: libvirt.virDomain, path: str) -> None:
    if _destination(domain) == path:
        domain.abortJob()
