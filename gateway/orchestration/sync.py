"""Keeps Machines as the hypervisors say they are: by events, and by comparing everything now and then."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from drivers.base import (
    ConnectionState,
    DomainFacts,
    Driver,
    DriverError,
    DriverEvent,
    DriverNotFound,
    EventKind,
    Loop,
    Migration,
)
from gateway.errors import GatewayError
from gateway.orchestration.attachments.reconcile import AttachmentDrift
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.host_start import HostStart
from gateway.orchestration.interfaces.address_watch import LOOK_EVERY, AddressWatch, addresses_loop
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.whereabouts import Whereabouts
from gateway.orchestration.machines.moving import MovedDomains, shown
from gateway.orchestration.machines.reconcile import TransientDomains
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.networks.reconcile import NetworkSync
from gateway.orchestration.snapshots.reconcile import SnapshotDrift
from gateway.orchestration.volumes.reconcile import VolumeDrift
from gateway.store.kept import Hosted
from gateway.store.model import Resource

COMPARE_EVERY = 15.0
REST = 10
"""How many times as long as comparing volumes took the pause after it is at least."""
REACTIONS = "changes outside"
"""Name of what is done about the events of hypervisors."""
log = structlog.get_logger("sync")


class Sync:
    """While a job holds a Machine (``held_by``) only the job writes its state."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._apart = Apart(room.supervision, "machines")
        self._loops: list[Loop] = []
        self._volumes_compared: dict[str, float] = {}
        """Seconds that the last comparison of a hypervisor's volumes took."""
        self._addresses = AddressWatch(room)
        self._volumes = VolumeDrift(room)
        self._attachments = AttachmentDrift(room)
        self._snapshots = SnapshotDrift(room)
        self._networks = NetworkSync(room)
        self._host_start = HostStart(room)
        self._transient = TransientDomains(room)
        self._moved = MovedDomains(room)
        for driver in room.drivers.values():
            driver.subscribe(self._happened)

    async def first_look(self) -> None:
        """What has to be known before the first request: the host's networks, which new Machines stand on."""
        for driver in self.room.drivers.values():
            if driver.connection is ConnectionState.UP:
                await self._guarded(self._first_look(driver))

    async def _first_look(self, driver: Driver) -> None:
        await self._host_start.once(driver)
        await self._networks.show(driver)

    def start(self) -> None:
        keep = self.room.supervision.keep
        for name, driver in self.room.drivers.items():
            self._loops += [
                keep(machines_loop(name), partial(self._compare_when_up, driver), COMPARE_EVERY),
                keep(f"volumes of {name}", partial(self._compare_volumes, driver), partial(self._rest, name)),
                keep(addresses_loop(name), partial(self._addresses.look, name), LOOK_EVERY),
            ]

    async def stop(self) -> None:
        for driver in self.room.drivers.values():
            driver.unsubscribe(self._happened)
        for loop in self._loops:
            await loop.stop()
        await self.room.supervision.end_reactions(REACTIONS, cancel=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.room.supervision.react(REACTIONS, work)

    def _happened(self, event: DriverEvent) -> None:
        driver = self.room.drivers[event.hypervisor]
        if event.kind is EventKind.CONNECTION:
            if event.state is ConnectionState.UP:
                self._volumes.reconnected(driver.name)
                self._spawn(self._guarded(self.compare(driver, reconnect=True)))
                self._spawn(self._guarded(self._volumes.compare(driver)))
        elif event.kind is EventKind.NETWORK_CHANGED:
            self._spawn(self._guarded(self._networks.happened(driver, event)))
        elif event.kind is EventKind.DOMAIN_CHANGED and event.facts is not None:
            self._spawn(self._guarded(self._apply(driver, event.facts)))
        elif event.kind in (EventKind.DOMAIN_CHANGED, EventKind.DOMAIN_UNDEFINED) and event.uuid is not None:
            self._spawn(self._guarded(self._look(driver, event.uuid)))

    async def _guarded(self, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except (DriverError, GatewayError) as error:
            log.warning("state not compared", reason=str(error))

    async def _compare_when_up(self, driver: Driver) -> None:
        if driver.connection is ConnectionState.UP:
            await self._guarded(self.compare(driver))

    async def _compare_volumes(self, driver: Driver) -> None:
        """A long comparison of large pools is followed by a longer pause."""
        began = time.monotonic()
        if driver.connection is ConnectionState.UP:
            await self._guarded(self._volumes.compare(driver))
        self._volumes_compared[driver.name] = time.monotonic() - began

    def _rest(self, hypervisor: str) -> float:
        return max(COMPARE_EVERY, REST * self._volumes_compared[hypervisor])

    async def compare(self, driver: Driver, *, reconnect: bool = False) -> None:
        """All Machines and Networks of a host with all it has; the Networks also where the domains cannot be listed."""
        await self._host_start.once(driver)
        try:
            await self._compare_machines(driver)
        finally:
            await self._networks.compare(driver, reconnect=reconnect)

    async def _compare_machines(self, driver: Driver) -> None:
        """Foreign domains are left alone."""
        facts = {domain.uuid: domain for domain in await driver.domains()}
        async for machine in self.room.store.every("Machine"):
            found = facts.get(machine_uuid(machine))
            if found is not None or Hosted.of(machine).host == driver.name:
                with self._apart.each(machine.path, driver):
                    await self._compare_machine(driver, machine, found)

    async def _compare_machine(self, driver: Driver, machine: Resource, found: DomainFacts | None) -> None:
        if machine.held_by is not None:
            return
        if Hosted.of(machine).host != driver.name:
            await self._follow(machine)
            return
        if found is None and machine.state == "ERROR":
            return
        if found is None or _differs(machine, found) or not found.persistent:
            # The bulk read may be older than a job that ended since: only a fresh look decides.
            await self._look(driver, machine_uuid(machine))
        else:
            await self._attachments.compare(machine, found)
            await self._snapshots.compare(machine)
            self._addresses.look_at(machine)

    async def _follow(self, machine: Resource) -> Whereabouts:
        """Take over a Machine whose domain is on another host by now; return what all hosts say of it."""
        seen = await self._moved.follow(machine)
        if seen.moved_to is not None:
            await self._apply(self.room.drivers[seen.moved_to.host], seen.moved_to.facts)
        return seen

    async def _apply(self, driver: Driver, facts: DomainFacts) -> None:
        """What a host says of a domain holds when it is the Machine's host; else it may have come there."""
        path = f"machines/{facts.uuid}"
        known = await self.room.store.get(path)
        if known is None or known.held_by is not None:
            return
        if Hosted.of(known).host != driver.name:
            await self._follow(known)
            return
        if facts.migration is Migration.LEFT:
            seen = await self._follow(known)
            if seen.moved_to is not None or seen.unsure:
                return
        await self._transient.compare(known, facts)
        await self._attachments.compare(known, facts)
        if not _differs(known, facts):
            self._addresses.look_at(known)
            return
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or not _still(machine, driver):
                return
            found = KeptMachine.changed(machine.with_document(**shown(facts)), gone=False)
            machine = await transaction.update(found)
            if machine.state == "ERROR" and known.state != "ERROR":
                await tell(transaction, alarm(machine, "fault", facts.reason or "the guest is in error"))
        log.info("state changed outside", machine=path, before=known.state, state=machine.state, reason=facts.reason)
        self._addresses.look_at(machine)

    async def _look(self, driver: Driver, uuid: str) -> None:
        """Ask libvirt. A domain that is gone means ERROR, so that a user sees it and may delete the Machine."""
        try:
            await self._apply(driver, await driver.domain(uuid))
            return
        except DriverNotFound:
            pass
        path = f"machines/{uuid}"
        known = await self.room.store.get(path)
        if known is None or not _still(known, driver) or not (await self._follow(known)).gone:
            return
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or not _still(machine, driver) or machine.state == "ERROR":
                return
            lost = KeptMachine.changed(machine.with_document(state="ERROR"), gone=True)
            machine = await transaction.update(lost)
            await tell(transaction, alarm(machine, "domain-gone", "its domain was removed from the hypervisor"))
        log.warning("domain is gone", machine=path)


def _still(machine: Resource, driver: Driver) -> bool:
    """Whether it is this host's word that counts: the Machine lives there, and no job holds it."""
    return Hosted.of(machine).host == driver.name and machine.held_by is None


def machines_loop(hypervisor: str) -> str:
    """Return the name of the loop that compares the Machines of the hypervisor of this name."""
    return f"machines of {hypervisor}"


def _differs(machine: Resource, facts: DomainFacts) -> bool:
    return any(machine.document.get(name) != value for name, value in shown(facts).items())
