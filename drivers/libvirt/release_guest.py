"""The way to give a DHCP lease back on another host: by a guest of a moment, since libvirt offers nothing for it.

A DHCPRELEASE has to come in by the network's own bridge. Where the bridge is on another host, a guest is made there
that boots from one sector (release_guest.s), sends the message until the DHCP server has understood, and is destroyed.
It goes by itself after half a minute, and with our connection: libvirt sees to that.
"""

from __future__ import annotations

import asyncio
import time
from weakref import WeakValueDictionary

import libvirt
from lxml import etree

from drivers.libvirt.connection import Connection
from drivers.libvirt.console import POOL, Console
from drivers.libvirt.domain_xml import child
from drivers.libvirt.lanes import Lane
from drivers.libvirt.leases import Lease, frame
from drivers.libvirt.network_lookup import network_of

CODE = bytes.fromhex(
    "fa31c08ed88ec08ed0bc007cb802b1b93981baec1031f6cd1a7257b80cb1b90500bf0400cd1ab809b1bf1000cd1a83e1fc89cd8d5637b010eeec"
    "a81075fbb004eebb3c0031f68d522066b8807c000066ef8d52106631c0a17e7c66ef83c60483e60c60b486b90700ba20a1fbcd15614b75d4ba04"
    "06b80020eff4ebf6"
)
"""release_guest.s, assembled."""
LENGTH_AT, FRAME_AT, SIGNATURE_AT = 126, 128, 510
DISK_BYTES = 65_536
NAME = "cimi-release-"
"""Begins the names of these guests and of their disks; the rest is the MAC of the lease."""
SECONDS = 20.0
LOOK_EVERY = 0.3


def disk(sent: bytes) -> bytes:
    """Return the disk of a guest that sends this Ethernet frame. Raises ValueError when it does not fit."""
    if len(sent) > SIGNATURE_AT - FRAME_AT:
        raise ValueError(f"a frame of {len(sent)} bytes does not fit into the sector")
    sector = CODE.ljust(LENGTH_AT, b"\0") + len(sent).to_bytes(2, "little") + sent
    return (sector.ljust(SIGNATURE_AT, b"\0") + b"\x55\xaa").ljust(DISK_BYTES, b"\0")


def guest_xml(name: str, path: str, lease: Lease) -> str:
    """Return libvirt's definition of the guest of this name, which boots from the disk at ``path``."""
    domain = etree.Element("domain", type="qemu")
    child(domain, "name", name)
    child(domain, "memory", "16", unit="MiB")
    child(domain, "vcpu", "1")
    system = child(domain, "os")
    child(system, "type", "hvm", arch="x86_64", machine="pc")
    child(system, "boot", dev="hd")
    child(child(domain, "features"), "acpi")
    child(domain, "on_poweroff", "destroy")
    devices = child(domain, "devices")
    volume = child(devices, "disk", type="file", device="disk")
    child(volume, "driver", name="qemu", type="raw")
    child(volume, "source", file=path)
    child(volume, "target", dev="hda", bus="ide")
    card = child(devices, "interface", type="network")
    child(card, "mac", address=lease.mac)
    child(card, "source", network=lease.network)
    child(card, "model", type="rtl8139")
    child(card, "rom", enabled="no")
    child(devices, "controller", type="usb", model="none")
    child(devices, "memballoon", model="none")
    return etree.tostring(domain, encoding="unicode")


class ReleaseGuests:
    """The guests of a moment on one host.

    Their disks lie in the consoles' pool for the moment, so that no user's pool is touched.
    """

    def __init__(self, connection: Connection, console: Console) -> None:
        self._connection = connection
        self._console = console
        self._turns = WeakValueDictionary[str, asyncio.Lock]()

    async def give_back(self, lease: Lease) -> bool:
        """Return whether the DHCP server has let the lease go. Raises DriverError where no such guest can be made.

        Firmware and operating system may have a lease each for one MAC; there is one guest of its name at a time.
        """
        async with self._turns.setdefault(_name(lease), asyncio.Lock()):
            return await self._give_back(lease)

    async def _give_back(self, lease: Lease) -> bool:
        await self._console.prepare()
        try:
            await self._connection.call(lambda handle: _start(handle, lease), lane=Lane.STORAGE)
            until = time.monotonic() + SECONDS
            while held := await self._connection.call(lambda handle: _is_held(handle, lease), lane=Lane.EVENTS):
                if time.monotonic() > until:
                    break
                await asyncio.sleep(LOOK_EVERY)
            return not held
        finally:
            await asyncio.shield(self._connection.call(lambda handle: _remove(handle, lease), lane=Lane.STORAGE))


def _name(lease: Lease) -> str:
    return NAME + lease.mac.replace(":", "")


def _start(handle: libvirt.virConnect, lease: Lease) -> None:
    _remove(handle, lease)
    pool, content = handle.storagePoolLookupByName(POOL), disk(frame(lease))
    volume = etree.Element("volume")
    child(volume, "name", _name(lease))
    child(volume, "capacity", str(DISK_BYTES))
    child(child(volume, "target"), "format", type="raw")
    made = pool.createXML(etree.tostring(volume, encoding="unicode"), 0)
    stream = handle.newStream(0)
    made.upload(stream, 0, DISK_BYTES, 0)
    stream.send(content)
    stream.finish()
    handle.createXML(guest_xml(_name(lease), made.path(), lease), libvirt.VIR_DOMAIN_START_AUTODESTROY)


def _is_held(handle: libvirt.virConnect, lease: Lease) -> bool:
    leases = network_of(handle, lease.network).DHCPLeases(lease.mac)
    return any(entry["ipaddr"] == lease.ip for entry in leases or ())


def _remove(handle: libvirt.virConnect, lease: Lease) -> None:
    """Remove guest and disk, and what a gateway that was killed left of them."""
    for domain in handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        if domain.name() == _name(lease):
            domain.destroy()
    for volume in handle.storagePoolLookupByName(POOL).listAllVolumes():
        if volume.name() == _name(lease):
            volume.delete(0)
