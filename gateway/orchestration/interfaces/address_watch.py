"""The addresses of running guests as Address resources, once they are known (DSP0263 5.19)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.base import ConnectionState, Driver, DriverError, InterfaceAddress
from gateway.errors import GatewayError
from gateway.orchestration.common.room import Room
from gateway.orchestration.interfaces.reported import bring_reported
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.store.model import Resource

EAGER_SECONDS = 90.0
"""Seconds after a start, or a change of an interface, in which a look is every second; later every LAZY_SECONDS."""
LAZY_SECONDS = 30.0
LOOK_EVERY = 1.0
LOOKS_AT_ONCE = 3
"""Guests of one host that are looked at at the same time, fewer than the calls which libvirt has room for in a lane."""
SLOW_SECONDS = 1.0
"""A guest whose look took longer is looked at every LAZY_SECONDS, after the others, LOOKS_AT_ONCE of them a turn."""
MOST_SURPRISES = 10
"""Surprises after which a turn ends: so many at once are no guest's fault, and each is written with its trace."""
LONGEST_REST = 60.0
"""Seconds until the next turn after many that ended so; the first rest is doubled with each of them in a row."""
LIVE = frozenset({"STARTED", "PAUSED"})


def addresses_loop(hypervisor: str) -> str:
    """Return the name of the loop that looks for addresses of the guests of this hypervisor."""
    return f"addresses of guests of {hypervisor}"


@dataclass(slots=True)
class _Turn:
    """A turn of the loop of one host: the Machines that nobody has taken yet, and the surprises so far."""

    paths: Iterator[str]
    surprises: int = 0

    @property
    def broken_off(self) -> bool:
        """Return whether nobody takes another Machine in this turn."""
        return self.surprises >= MOST_SURPRISES


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
        self._judged: set[str] = set()
        """The Machines of which that was found out by their addresses and interfaces as they are now."""
        self._broken_off: Counter[str] = Counter()
        """The turns in a row that were broken off, by host."""
        room.store.watch(self._changed, "Machine", "MachineNetworkInterface")

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
            if self._since.get(machine.path, -1.0) < 0:
                self._since[machine.path] = time.monotonic()
        elif machine.state in ("STOPPED", "ERROR", "SUSPENDED") and machine.path in self._since:
            self._since[machine.path] = -1.0

    def _look_again(self, machine: str) -> None:
        """Look for addresses eagerly again, since an interface was plugged in or switched on."""
        self._judged.discard(machine)
        if self._since.get(machine, -1.0) >= 0:
            self._since[machine] = time.monotonic()
            self._whole.discard(machine)

    def _forget(self, path: str) -> None:
        for memory in (self._since, self._looked, self._known, self._hosts, self._odd):
            memory.pop(path, None)
        for paths in (self._whole, self._judged, self._slow):
            paths.discard(path)

    async def look(self, host: str) -> None:
        """Look at all guests of a host whose time it is; one with which something is wrong is left for the next time.

        Each host has a loop of its own: one that hangs holds up the addresses of its own guests alone. A few are looked
        at at once, and those that are slow or were odd come last, so that these hold up no other guest.
        """
        due = [path for path in self._since if self._hosts.get(path) == host and self._due(path)]
        late = self._late(due)
        last = sorted(late, key=lambda path: self._looked.get(path, 0.0))
        turn = _Turn(iter([*(path for path in due if path not in late), *last[:LOOKS_AT_ONCE]]))
        # A gather that is cancelled would not wait for all of them, and the store closes behind a stopped loop.
        async with asyncio.TaskGroup() as group:
            for _ in range(LOOKS_AT_ONCE):
                group.create_task(self._look_at_each(host, turn))
        self._broken_off[host] = self._broken_off[host] + 1 if turn.broken_off else 0

    def rest(self, host: str) -> float:
        """Return the seconds until the next turn of this host's loop."""
        return float(min(LONGEST_REST, LOOK_EVERY * 2 ** min(self._broken_off[host], 16)))

    def _late(self, due: list[str]) -> set[str]:
        return (self._slow | self._odd.keys()).intersection(due)

    async def _look_at_each(self, host: str, turn: _Turn) -> None:
        """Look at one Machine after another, as long as there are any that nobody else has taken."""
        for path in turn.paths:
            turn.surprises += await self._surprised(host, path)
            if turn.broken_off:
                return

    async def _surprised(self, host: str, path: str) -> bool:
        """Look at a Machine, and return whether that ended in a surprise, which is told."""
        with self.room.supervision.apart(addresses_loop(host), machine=path):
            await self._look_and_note_failure(host, path)
            return False
        return True

    async def _look_and_note_failure(self, host: str, path: str) -> None:
        try:
            await self._look(self.room.drivers[host], path)
        except (DriverError, GatewayError):
            # The address is an attribute that appears later; not knowing it is no fault.
            self._looked[path] = time.monotonic()
            self._odd.pop(path, None)
            self._judged.discard(path)
        except Exception:
            self._odd[path] = time.monotonic()
            self._judged.discard(path)
            raise
        else:
            self._odd.pop(path, None)

    def _due(self, path: str) -> bool:
        now, since = time.monotonic(), self._since[path]
        if now - self._odd.get(path, -LAZY_SECONDS) < LAZY_SECONDS:
            return False
        eager = since >= 0 and now - since < EAGER_SECONDS and path not in self._whole and path not in self._slow
        return since < 0 or eager or now - self._looked.get(path, -LAZY_SECONDS) >= LAZY_SECONDS

    async def _look(self, driver: Driver, path: str) -> None:
        """Write the addresses that the guest has; the store is read where they, or the interfaces, have changed."""
        addresses: tuple[InterfaceAddress, ...] = ()
        runs = self._since.get(path, -1.0) >= 0
        if runs:
            if driver.connection is not ConnectionState.UP:
                return
            addresses = await self._reported(driver, path)
            self._looked[path] = time.monotonic()
            if addresses == self._known.get(path) and path in self._judged:
                return
        machine = await self.room.store.get(path)
        if machine is None:
            self._forget(path)
            return
        live = runs and machine.state in LIVE
        await self._take_up(machine, addresses if live else ())
        if not live:
            self._forget(path)

    async def _take_up(self, machine: Resource, addresses: tuple[InterfaceAddress, ...]) -> None:
        """Write what is new of a Machine's addresses, and find out whether all its interfaces have one."""
        # Noted first: an interface that changes meanwhile takes the note away.
        self._judged.add(machine.path)
        if self._known.get(machine.path) != addresses:
            await self._write(machine, addresses)
            self._known[machine.path] = addresses
        if await self._addressed(machine.path, addresses):
            self._whole.add(machine.path)

    async def _reported(self, driver: Driver, path: str) -> tuple[InterfaceAddress, ...]:
        """Return the addresses that the guest has, and note whether it took long to tell them."""
        began = time.monotonic()
        try:
            return await driver.domains.interface_addresses(path.rpartition("/")[2])
        finally:
            if time.monotonic() - began > SLOW_SECONDS:
                self._slow.add(path)
            else:
                self._slow.discard(path)

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
