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

POOL = "cimi-console"
SYSTEM_DIRECTORY = "/var/lib/libvirt/cimi-console"
PIECE = 262_144


class Console:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ready = False

    @property
    def directory(self) -> str:
        if self._connection.uri.endswith("/system"):
            return SYSTEM_DIRECTORY
        return str(Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local/state"))) / POOL)

    def log_path(self, uuid: str) -> str:
        return f"{self.directory}/{uuid}.log"

    async def prepare(self) -> None:
        """Define and start the pool when it is not there yet."""
        if not self._ready:
            await self._connection.call(lambda handle: _ensure_pool(handle, self.directory), lane=Lane.STORAGE)
            self._ready = True

    async def text(self, uuid: str, limit: int) -> bytes:
        try:
            return await self._connection.call(lambda handle: _tail(handle, f"{uuid}.log", limit), lane=Lane.STREAM)
        except DriverNotFound:
            return b""

    async def delete(self, uuid: str) -> None:
        """Remove the log with its rotated parts."""
        try:
            await self._connection.call(lambda handle: _delete(handle, f"{uuid}.log"), lane=Lane.STORAGE)
        except DriverNotFound:
            return


def _ensure_pool(handle: libvirt.virConnect, directory: str) -> None:
    try:
        pool = handle.storagePoolLookupByName(POOL)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_STORAGE_POOL:
            raise
        pool = handle.storagePoolDefineXML(_pool_xml(directory), 0)
        pool.build(0)
        pool.setAutostart(1)
    if not pool.isActive():
        pool.create(0)


def _pool_xml(directory: str) -> str:
    pool = etree.Element("pool", type="dir")
    child(pool, "name", POOL)
    target = child(pool, "target")
    child(target, "path", directory)
    child(child(target, "permissions"), "mode", "0711")
    return etree.tostring(pool, encoding="unicode")


def _volume(handle: libvirt.virConnect, name: str) -> libvirt.virStorageVol:
    pool = handle.storagePoolLookupByName(POOL)
    pool.refresh(0)
    return pool.storageVolLookupByName(name)


def _tail(handle: libvirt.virConnect, name: str, limit: int) -> bytes:
    volume = _volume(handle, name)
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


def _delete(handle: libvirt.virConnect, name: str) -> None:
    pool = handle.storagePoolLookupByName(POOL)
    pool.refresh(0)
    for volume in pool.listAllVolumes():
        if volume.name() == name or volume.name().startswith(f"{name}."):
            volume.delete(0)
