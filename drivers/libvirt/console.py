"""Logs of what guests write to their serial console: kept by libvirt, read back through a storage pool.

The log files belong to root and the gateway does not, so they are read as volumes of a directory pool.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import libvirt
from lxml import etree

from drivers.base import DriverNotFound, DriverUnsupported
from drivers.libvirt.connection import Connection
from drivers.libvirt.domain_xml import child
from drivers.libvirt.lanes import Lane
from drivers.libvirt.storage import Storage, lookup
from drivers.libvirt.uri import is_local, is_system

POOL = "cimi-console"
SYSTEM_DIRECTORY = "/var/lib/libvirt/cimi-console"
OWN_DIRECTORY = re.compile(r"""[="](/[^="]*)/qemu/(?:lib/)?domain-""")
"""In the command of a guest, before the guest's own directory."""
PIECE = 262_144


class Console:
    """The logs of one hypervisor's guests."""

    def __init__(self, connection: Connection, storage: Storage) -> None:
        self._connection = connection
        self._storage = storage

    async def prepare(self) -> None:
        """Define and start the pool when it is not there: not yet, or since an admin has removed it."""
        await self._connection.call(lambda handle: _ensure_pool(handle, self._connection.uri), lane=Lane.STORAGE)

    async def log_path(self, uuid: str) -> str:
        """Prepare the pool, and return the log's path in it, on the hypervisor's own host."""
        directory = await self._connection.call(
            lambda handle: _path_of(_ensure_pool(handle, self._connection.uri)), lane=Lane.STORAGE
        )
        return f"{directory}/{uuid}.log"

    async def text(self, uuid: str, limit: int) -> bytes:
        """Return the log's last ``limit`` bytes; none when the guest has written nothing yet."""
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


def _ensure_pool(handle: libvirt.virConnect, uri: str) -> libvirt.virStoragePool:
    """Return the consoles' pool, defined and started.

    Another gateway on this host may do the same at the same time: what it was quicker with is there.
    """
    if POOL in handle.listStoragePools():
        return handle.storagePoolLookupByName(POOL)
    try:
        pool = handle.storagePoolDefineXML(_pool_xml(directory_of(handle, uri)), 0)
        pool.setAutostart(1)
    except libvirt.libvirtError:
        pool = handle.storagePoolLookupByName(POOL)
    try:
        pool.create(libvirt.VIR_STORAGE_POOL_CREATE_WITH_BUILD)
    except libvirt.libvirtError:
        if not pool.isActive():
            raise
    return pool


def _path_of(pool: libvirt.virStoragePool) -> str:
    """Return where the pool is: an older gateway, or one with another environment, may have chosen otherwise."""
    return str(etree.fromstring(pool.XMLDesc(0)).findtext("target/path"))


def directory_of(handle: libvirt.virConnect, uri: str) -> str:
    """Return where a new pool is to be, on the hypervisor's own host, which need not be ours.

    Nobody but the user of that libvirt may put something there: no place that others could take before.
    """
    if is_system(uri):
        return SYSTEM_DIRECTORY
    if is_local(uri):
        return str(Path(os.environ.get("XDG_STATE_HOME", str(Path.home() / ".local/state"))) / POOL)
    return f"{_own_directory(handle)}/{POOL}"


def _own_directory(handle: libvirt.virConnect) -> str:
    """Return the directory of a session's libvirt itself, in its user's home.

    Only the command of a guest of this libvirt names it.
    """
    capabilities = etree.fromstring(handle.getCapabilities())
    arch = capabilities.findtext("host/cpu/arch")
    offered = capabilities.find(f"guest[os_type='hvm']/arch[@name='{arch}']/domain")
    guest = etree.Element("domain", type="qemu" if offered is None else str(offered.get("type")))
    child(guest, "name", POOL)
    child(guest, "memory", "65536")
    child(child(guest, "os"), "type", "hvm", arch=str(arch))
    command = handle.domainXMLToNative("qemu-argv", etree.tostring(guest, encoding="unicode"), 0)
    place = OWN_DIRECTORY.search(command)
    if place is None:
        raise DriverUnsupported("the remote libvirt does not tell where its user's files are, so no console is logged")
    return place[1]


def _pool_xml(directory: str) -> str:
    pool = etree.Element("pool", type="dir")
    child(pool, "name", POOL)
    target = child(pool, "target")
    child(target, "path", directory)
    # A guest of the system's libvirt runs as another user, who gets at its disk in there (release_guest).
    child(child(target, "permissions"), "mode", "0711" if directory == SYSTEM_DIRECTORY else "0700")
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
