"""Devices plugged in and out: at once when the domain runs, and for its next boots.

A running guest has to let go of a device. libvirt returns before that, so whoever plugs out waits for libvirt's word
that the device is gone; the waiter stands before libvirt is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import libvirt
from lxml import etree

from drivers.base import DiskSpec, DriverConflict, DriverNotFound, InterfaceSpec
from drivers.libvirt.connection import Connection
from drivers.libvirt.disk_exchange import replace_source
from drivers.libvirt.domain_xml import disk_element, interface_element
from drivers.libvirt.lanes import Lane
from drivers.libvirt.lease_returns import LeaseReturns
from drivers.libvirt.own_addresses import OwnAddresses
from drivers.libvirt.qemu_monitor import without_strays
from drivers.libvirt.storage import Storage

T = TypeVar("T")
PARSER = etree.XMLParser(resolve_entities=False, no_network=True)
LOOK_EVERY = 1.0
"""Seconds after which the domain is looked at again: an event may be lost with its connection."""
CALL_DEADLINE = 60.0
REPLACE_DEADLINE = 3600.0
"""Seconds; the domain may be busy with a snapshot."""
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
KEYS = {"disk": ("target", "dev"), "interface": ("mac", "address")}
"""Element and attribute of a device of each kind that tell it from the others."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a domain: a disk known by its target, or an interface known by its MAC address."""

    kind: Literal["disk", "interface"]
    key: str

    @classmethod
    def of(cls, element: etree._Element) -> Device:
        """Return the device that an element of a definition describes."""
        child, attribute = KEYS[element.tag]
        child_element = element.find(child)
        return cls(element.tag, child_element.get(attribute, "") if child_element is not None else "")  # type: ignore[arg-type]

    def find(self, domain: etree._Element) -> etree._Element | None:
        """Return the device's element in a domain's definition; None where the domain does not have it."""
        return next((entry for entry in domain.iterfind(f"devices/{self.kind}") if Device.of(entry) == self), None)

    def __str__(self) -> str:
        return f"the {self.kind} {self.key}"


class Devices:
    """The part ``devices`` of the driver (drivers.base.DeviceCalls)."""

    def __init__(
        self, connection: Connection, storage: Storage, addresses: OwnAddresses, lease_returns: LeaseReturns
    ) -> None:
        self._connection = connection
        self._storage = storage
        self._addresses = addresses
        self._lease_returns = lease_returns
        self._waiters: dict[tuple[str, str], asyncio.Future[bool]] = {}

    async def _with(self, uuid: str, work: Callable[[libvirt.virDomain], T], deadline: float = CALL_DEADLINE) -> T:
        return await self._connection.call(
            lambda handle: work(handle.lookupByUUIDString(uuid)), lane=Lane.STORAGE, deadline=deadline
        )

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        """Plug the disk in; a disk of another source at the target is a conflict."""
        element = disk_element(disk, await self._storage.source(disk.pool, disk.volume))
        await self._with(uuid, lambda domain: _attach(domain, element))

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        """Plug the disk out, and wait for libvirt's word that it is gone."""
        await self._detach(uuid, Device("disk", target), seconds)

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        """Make the running domain's disk larger by QEMU itself, which tells the guest."""
        return await self._with(uuid, lambda domain: _grow(domain, Device("disk", target), capacity))

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        """Put another volume behind the disk; the domain may be busy with a snapshot for ``REPLACE_DEADLINE``."""
        source = await self._storage.source(pool, volume)
        await self._with(uuid, lambda domain: replace_source(domain, target, source, format), REPLACE_DEADLINE)

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None:
        """Plug the interface in, once its address is its own and its packet filter is there."""
        element = interface_element(await self._addresses.held_new(interface))
        await self._with(uuid, lambda domain: _attach(domain, element))

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        """Bring the interface to ``now`` in the running guest, and to ``interface`` in the definition."""
        held = await self._addresses.held(interface)
        held_now = held if now is None else await self._addresses.held(now)
        elements = {LIVE: interface_element(held_now), CONFIG: interface_element(held)}
        await self._with(uuid, lambda domain: _update(domain, elements))

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        """Plug the interface out; its leases are given back once the guest has it no more."""
        device = Device("interface", mac)
        await self._detach(uuid, device, seconds, lambda: self._lease_returns.give_back_of(uuid, mac))

    async def _detach(
        self, uuid: str, device: Device, seconds: float, unplugged: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Plug the device out of the running guest, and out of the definition.

        ``unplugged`` is called when the guest has the device no more, and before the domain's definition forgets it: so
        it is called again after a crash.
        """
        try:
            alias = await self._with(uuid, lambda domain: _alias(domain, device))
            if alias is not None:
                await self._unplug(uuid, device, alias, seconds)
            if unplugged is not None:
                await unplugged()
            await self._with(uuid, lambda domain: _forget(domain, device))
        except DriverNotFound:
            return

    async def _unplug(self, uuid: str, device: Device, alias: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        with self._waiter(uuid, alias) as waiter:
            await self._with(uuid, lambda domain: _ask(domain, device))
            while not waiter.done():
                await asyncio.wait({waiter}, timeout=min(LOOK_EVERY, max(0.0, until - time.monotonic())))
                if not waiter.done() and await self._with(uuid, lambda domain: _alias(domain, device)) is None:
                    return
                if not waiter.done() and time.monotonic() >= until:
                    raise DriverConflict(
                        f"the guest did not let go of {device} within {seconds:g} s; unmount it in the guest and try "
                        "again, or stop the Machine first"
                    )
            if not waiter.result():
                raise DriverConflict(f"the guest refused to let go of {device}; unmount it in the guest and try again")

    @contextmanager
    def _waiter(self, uuid: str, alias: str) -> Iterator[asyncio.Future[bool]]:
        """Yield a future that is True when libvirt reports the device gone, and False when the guest refused."""
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters[(uuid, alias)] = waiter
        try:
            yield waiter
        finally:
            del self._waiters[(uuid, alias)]

    def report(self, uuid: str, alias: str, *, gone: bool) -> None:
        """Wake who waits for the device: libvirt says that it is gone, or that the guest refused. On the loop."""
        waiter = self._waiters.get((uuid, alias))
        if waiter is not None and not waiter.done():
            waiter.set_result(gone)


def _definition(domain: libvirt.virDomain, scope: int) -> etree._Element:
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if scope == CONFIG else 0
    return etree.fromstring(domain.XMLDesc(flags), PARSER)


def _scopes(domain: libvirt.virDomain) -> list[int]:
    """Return where a change has to be made: in the running guest first, since only that may refuse."""
    active = [LIVE] if domain.isActive() else []
    return [*active, *([CONFIG] if domain.isPersistent() else [])]


def _attach(domain: libvirt.virDomain, element: etree._Element) -> None:
    device, xml = Device.of(element), etree.tostring(element, encoding="unicode")
    for scope in _scopes(domain):
        present = device.find(_definition(domain, scope))
        if present is None:
            without_strays(domain, partial(domain.attachDeviceFlags, xml, scope))
        elif not _same_source(present, element):
            raise DriverConflict(f"{device} is another device already")


def _update(domain: libvirt.virDomain, elements: dict[int, etree._Element]) -> None:
    for scope in _scopes(domain):
        domain.updateDeviceFlags(etree.tostring(elements[scope], encoding="unicode"), scope)


def _grow(domain: libvirt.virDomain, disk: Device, capacity: int) -> bool:
    """Let QEMU make the volume larger, in the format which it was told: it tells the guest, too."""
    if _alias(domain, disk) is None:
        return False
    if domain.blockInfo(disk.key)[0] < capacity:
        domain.blockResize(disk.key, capacity, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
    return True


def _same_source(present: etree._Element, wanted: etree._Element) -> bool:
    """Return whether the sources agree: a running device's says more than what was asked for, never less."""
    ours, theirs = wanted.find("source"), present.find("source")
    if ours is None or theirs is None:
        return ours is theirs
    return all(theirs.get(str(name)) == value for name, value in ours.attrib.items())


def _alias(domain: libvirt.virDomain, device: Device) -> str | None:
    """Return the name by which events tell of the device, None when no running guest has it."""
    element = device.find(_definition(domain, LIVE)) if domain.isActive() else None
    alias = element.find("alias") if element is not None else None
    return alias.get("name") if alias is not None else None


def _ask(domain: libvirt.virDomain, device: Device) -> None:
    """Ask the guest to let go; a request that is still pending is as good as a new one."""
    element = device.find(_definition(domain, LIVE))
    if element is None:
        return
    try:
        domain.detachDeviceFlags(etree.tostring(element, encoding="unicode"), LIVE)
    except libvirt.libvirtError as error:
        # QEMU has no code of its own for it.
        if "in the process of unplug" not in str(error):
            raise


def _forget(domain: libvirt.virDomain, device: Device) -> None:
    """Take the device out of the definition, so that the next boot does not have it either."""
    element = device.find(_definition(domain, CONFIG)) if domain.isPersistent() else None
    if element is not None:
        domain.detachDeviceFlags(etree.tostring(element, encoding="unicode"), CONFIG)
