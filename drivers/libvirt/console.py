"""What guests write to their serial console: logged by libvirt, read back through a storage pool.

The log files belong to root and the gateway does not, so they are read as volumes of a directory pool.
"""

from __future__ import annotations

import os
from pathlib import Path

import libvirt
from lxml import etree

from drivers.base import DriverNotFound
from drivers.libvirt.connection import Connection, Lane
from drivers.libvirt.domain_xml import child
from drivers.libvirt.storage import Storage, lookup
from drivers.libvirt.uri import is_local, is_system

POOL = "cimi-console"
SYSTEM_DIRECTORY = "/var/lib/libvirt/cimi-console"
REMOTE_SESSION_DIRECTORY = f"/var/tmp/{POOL}"  # noqa: S108 - on another host, whose users' homes nobody tells us
PIECE = 262_144


class Console:
    def __init__(self, connection: Connection, storage: Storage) -> None:
        self._connection = connection
        self._storage = storage

    @property
    def directory(self) -> str:
        """Return the directory on the hypervisor's own host, which need not be ours."""
        if is_system(self._connection.uri):
            return SYSTEM_DIRECTORY
        if not is_local(self._connection.uri):
            return REMOTE_SESSION_DIRECTORY
        return str(Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local/state"))) / POOL)

    def log_path(self, uuid: str) -> str:
        return f"{self.directory}/{uuid}.log"

    async def prepare(self) -> None:
        """Define and start the pool when it is not there: not yet, or since an admin has removed it."""
        await self._connection.call(lambda handle: _ensure_pool(handle, self.directory), lane=Lane.STORAGE)

    async def text(self, uuid: str, limit: int) -> bytes:
        try:
            return await self._storage.in_pool(
                POOL, lambda pool: _tail(pool.connect(), pool, f"{uuid}.log", limit), Lane.STREAM
            )
        except DriverNotFound:
            return b""

    async def delete(self, uuid: str) -> None:
        """Remove the log with its rotated parts."""
        await self.prepare()
        try:
            await self._storage.in_pool(POOL, lambda pool: _delete(pool, f"{uuid}.log"))
        except DriverNotFound:
            return


def _ensure_pool(handle: libvirt.virConnect, directory: str) -> None:
    """Another gateway on this host may do the same at the same time: what it was quicker with is there."""
    if POOL in handle.listStoragePools():
        return
    try:
        pool = handle.storagePoolDefineXML(_pool_xml(directory), 0)
        pool.setAutostart(1)
    except libvirt.libvirtError:
        pool = handle.storagePoolLookupByName(POOL)
    try:
        pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    except libvirt.libvirtError:
        if not pool.isActive():
            raise


def _pool_xml(directory: str) -> str:
    pool = etree.Element("pool", type="dir")
    child(pool, "name", POOL)
    target = child(pool, "target")
    child(target, "path", directory)
    child(child(target, "permissions"), "mode", "0711")
    return etree.tostring(pool, encoding="unicode")


def _tail(handle: libvirt.virConnect, pool: libvirt.virStoragePool, name: str, limit: int) -> bytes:
    volume = lookup(pool, name)
    size = volume.info()[1]
    if not size:
        return b""
    offset = max(0, size - limit)
    stream = handle.newStream(0)
    volume.download(stream, offset, size - offset, 0)
    text = bytearray()
    while piece := stream.recv(PIECE):
        text += piece
    stream.finish()
    return bytes(text)


def _delete(pool: libvirt.virStoragePool, name: str) -> None:
    pool.refresh(0)
    for volume in pool.listAllVolumes():
        if volume.name() == name or volume.name().startswith(f"{name}."):
            volume.delete(0)
