"""The addresses of running guests as Address resources, once they are known (DSP0263 5.19)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from drivers.base import ConnectionState, Driver, DriverError, InterfaceAddress
from gateway.errors import GatewayError
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.interfaces.reported import bring_reported
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.store.model import Resource

EAGER_SECONDS = 90.0
"""Seconds after a start, or a change of an interface, in which a look is every second; later every LAZY_SECONDS."""
LAZY_SECONDS = 30.0
LOOK_EVERY = 1.0
LOOKS_AT_ONCE = 3
"""Guests of one host that are looked at at the same time, fewer than the calls which libvirt has room for in a lane."""
SLOW_SECONDS = 1.0
"""A guest whose look took longer is looked at every LAZY_SECONDS, after the others, LOOKS_AT_ONCE of them a turn."""
LIVE = frozenset({"STARTED", "PAUSED"})


def addresses_loop(hypervisor: str) -> str:
    """Return the name of the loop that looks for addresses of the guests of this hypervisor."""
    return f"addresses of guests of {hypervisor}"


class AddressWatch:
    """The watcher of the addresses that running guests have, which writes them as Address resources."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._since: dict[str, float] = {}
        self._looked: dict[str, float] = {}
        self._known: dict[str, tuple[InterfaceAddress, ...]] = {}
        self._hosts: dict[str, str] = {}
        """The host of each Machine, by its path."""
        self._odd: dict[str, float] = {}
        """The time at which a surprise ended the last look at a Machine."""
        self._slow: set[str] = set()
        """The Machines whose last look took long: their agents are silent."""
        self._whole: set[str] = set()
        """The Machines whose interfaces all have an address."""
        room.store.watch(self._changed)

    def _changed(self, changes: dict[str, Resource | None]) -> None:
        for path, resource in changes.items():
            if resource is None:
                self._forget(path)
            elif resource.kind == "Machine":
                self.look_at(resource)
            elif resource.kind == "MachineNetworkInterface":
                self._look_again(str(resource.parent))

    def look_at(self, machine: Resource) -> None:
        """Note the Machine's host, and that its guest is to be looked at, once more when it has stopped."""
        self._hosts[machine.path] = KeptMachine.of(machine).host
        if machine.state in LIVE and machine.held_by is None:
            self._since.setdefault(machine.path, time.monotonic())
        elif machine.state in ("STOPPED", "ERROR", "SUSPENDED") and machine.path in self._since:
            self._since[machine.path] = -1.0

    def _look_again(self, machine: str) -> None:
        """Look for addresses eagerly again, since an interface was plugged in or switched on."""
        if self._since.get(machine, -1.0) >= 0:
            self._since[machine] = time.monotonic()
            self._whole.discard(machine)

    def _forget(self, path: str) -> None:
        for memory in (self._since, self._looked, self._known, self._hosts, self._odd):
            memory.pop(path, None)
        self._whole.discard(path)
        self._slow.discard(path)

    async def look(self, host: str) -> None:
        """Look at all guests of a host whose time it is; one with which something is wrong is left for the next time.

        Each host has a loop of its own: one that hangs holds up the addresses of its own guests alone. A few are looked
        at at once, and those that are slow come last, so that a silent agent holds up no other guest.
        """
        due = [path for path in self._since if self._hosts.get(path) == host and self._due(path)]
        slow = sorted(self._slow.intersection(due), key=lambda path: self._looked.get(path, 0.0))
        paths = iter([*(path for path in due if path not in self._slow), *slow[:LOOKS_AT_ONCE]])
        await asyncio.gather(*(self._look_at_each(host, paths) for _ in range(LOOKS_AT_ONCE)))

    async def _look_at_each(self, host: str, paths: Iterator[str]) -> None:
        """Look at one Machine after another, as long as there are any that nobody else has taken."""
        for path in paths:
            with self.room.supervision.apart(addresses_loop(host), machine=path):
                await self._look_and_note_failure(path)

    async def _look_and_note_failure(self, path: str) -> None:
        try:
            await self._look(path)
        except (DriverError, GatewayError):
            # The address is an attribute that appears later; not knowing it is no fault.
            self._looked[path] = time.monotonic()
        except Exception:
            self._odd[path] = time.monotonic()
            raise
        else:
            self._odd.pop(path, None)

    def _due(self, path: str) -> bool:
        now, since = time.monotonic(), self._since[path]
        if now - self._odd.get(path, -LAZY_SECONDS) < LAZY_SECONDS:
            return False
        eager = since >= 0 and now - since < EAGER_SECONDS and path not in self._whole and path not in self._slow
        return since < 0 or eager or now - self._looked.get(path, -LAZY_SECONDS) >= LAZY_SECONDS

    async def _look(self, path: str) -> None:
        machine = await self.room.store.get(path)
        if machine is None:
            self._forget(path)
            return
        addresses: tuple[InterfaceAddress, ...] = ()
        live = machine.state in LIVE
        driver = self.room.driver(machine)
        if live:
            if driver.connection is not ConnectionState.UP:
                return
            addresses = await self._reported(driver, machine)
        self._looked[path] = time.monotonic()
        if self._known.get(path) != addresses:
            await self._write(machine, addresses)
            self._known[path] = addresses
        if await self._addressed(path, addresses):
            self._whole.add(path)
        if not live:
            self._forget(path)

    async def _reported(self, driver: Driver, machine: Resource) -> tuple[InterfaceAddress, ...]:
        """Return the addresses that the guest has, and note whether it took long to tell them."""
        began = time.monotonic()
        try:
            return await driver.domains.interface_addresses(machine_uuid(machine))
        finally:
            if time.monotonic() - began > SLOW_SECONDS:
                self._slow.add(machine.path)
            else:
                self._slow.discard(machine.path)

    async def _addressed(self, path: str, addresses: tuple[InterfaceAddress, ...]) -> bool:
        """Return whether each of the Machine's interfaces that is up has an address."""
        interfaces = await self.room.store.children(path, "MachineNetworkInterface")
        up = {entry.document.get("macAddress") for entry in interfaces if entry.document["state"] == "Active"}
        return up <= {address.mac for address in addresses}

    async def _write(self, machine: Resource, addresses: tuple[InterfaceAddress, ...]) -> None:
        async with self.room.store.transaction() as transaction:
            for interface in await transaction.children(machine.path, "MachineNetworkInterface"):
                mac = interface.document.get("macAddress")
                seen = [address for address in addresses if address.mac == mac]
                await bring_reported(transaction, machine, interface, seen)
