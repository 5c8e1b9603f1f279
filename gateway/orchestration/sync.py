"""Keeps Machines as the hypervisors say they are: by events, and by comparing everything now and then."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog

from drivers.base import ConnectionState, DomainFacts, Driver, DriverError, DriverEvent, DriverNotFound, EventKind, Loop
from gateway.errors import GatewayError
from gateway.orchestration.machines.attachment_drift import AttachmentDrift
from gateway.orchestration.machines.plans import uuid_of
from gateway.orchestration.machines.states import state_of
from gateway.orchestration.machines.transient import TransientDomains
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.networks.address_watch import ADDRESSES, LOOK_EVERY, AddressWatch
from gateway.orchestration.networks.network_sync import NetworkSync
from gateway.orchestration.resources import Room
from gateway.orchestration.snapshots.drift import SnapshotDrift
from gateway.orchestration.volumes.drift import VolumeDrift
from gateway.store.model import Document, Resource

COMPARE_EVERY = 15.0
REST = 10
"""How many times as long as comparing volumes took the pause after it is at least."""
REACTIONS = "changes outside"
"""Name of what is done about the events of hypervisors."""
log = structlog.get_logger("sync")


class Sync:
    """While a job holds a Machine (``internal["job"]``) only the job writes its state."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._loops: list[Loop] = []
        self._volumes_compared: dict[str, float] = {}
        """Seconds that the last comparison of a hypervisor's volumes took."""
        self._addresses = AddressWatch(room)
        self._volumes = VolumeDrift(room)
        self._attachments = AttachmentDrift(room)
        self._snapshots = SnapshotDrift(room)
        self._networks = NetworkSync(room)
        self._transient = TransientDomains(room)
        for driver in room.drivers.values():
            driver.subscribe(self._happened)

    async def first_look(self) -> None:
        """What has to be known before the first request: the host's networks, which new Machines stand on."""
        for driver in self.room.drivers.values():
            if driver.connection is ConnectionState.UP:
                await self._guarded(self._networks.show(driver))

    def start(self) -> None:
        keep = self.room.supervision.keep
        for name, driver in self.room.drivers.items():
            self._loops += [
                keep(machines_loop(name), partial(self._compare_when_up, driver), COMPARE_EVERY),
                keep(f"volumes of {name}", partial(self._compare_volumes, driver), partial(self._rest, name)),
            ]
        self._loops.append(keep(ADDRESSES, self._addresses.look, LOOK_EVERY))

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
            self._spawn(self._guarded(self._apply(event.facts)))
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
        """All Machines of a host with all its domains; foreign domains are left alone."""
        facts = {domain.uuid: domain for domain in await driver.domains()}
        async for machine in self.room.store.every("Machine"):
            if machine.internal.get("host") != driver.name or machine.internal.get("job") is not None:
                continue
            # What is odd about one Machine keeps nobody from comparing the others.
            with self.room.supervision.apart(machines_loop(driver.name), machine=machine.path):
                await self._compare_machine(driver, machine, facts.get(uuid_of(machine)))
        await self._networks.compare(driver, reconnect=reconnect)

    async def _compare_machine(self, driver: Driver, machine: Resource, found: DomainFacts | None) -> None:
        if found is None and machine.state == "ERROR":
            return
        if found is None or _differs(machine, found) or not found.persistent:
            # The bulk read may be older than a job that ended since: only a fresh look decides.
            await self._look(driver, uuid_of(machine))
        else:
            await self._attachments.compare(machine, found)
            await self._snapshots.compare(machine)
            self._addresses.look_at(machine)

    async def _apply(self, facts: DomainFacts) -> None:
        path = f"machines/{facts.uuid}"
        known = await self.room.store.get(path)
        if known is None or known.internal.get("job") is not None:
            return
        await self._transient.compare(known, facts)
        await self._attachments.compare(known, facts)
        if not _differs(known, facts):
            self._addresses.look_at(known)
            return
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or machine.internal.get("job") is not None:
                return
            machine = await transaction.update(machine.with_document(**_shown(facts)))
            if machine.state == "ERROR" and known.state != "ERROR":
                await tell(transaction, alarm(machine, "fault", facts.reason or "the guest is in error"))
        log.info("state changed outside", machine=path, before=known.state, state=machine.state, reason=facts.reason)
        self._addresses.look_at(machine)

    async def _look(self, driver: Driver, uuid: str) -> None:
        """Ask libvirt. A domain that is gone means ERROR, so that a user sees it and may delete the Machine."""
        try:
            await self._apply(await driver.domain(uuid))
            return
        except DriverNotFound:
            pass
        path = f"machines/{uuid}"
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or machine.internal.get("job") is not None or machine.state == "ERROR":
                return
            machine = await transaction.update(machine.with_document(state="ERROR"))
            await tell(transaction, alarm(machine, "domain-gone", "its domain was removed from the hypervisor"))
        log.warning("domain is gone", machine=path)


def machines_loop(hypervisor: str) -> str:
    """Name of the loop that compares the Machines of the hypervisor of this name."""
    return f"machines of {hypervisor}"


def _shown(facts: DomainFacts) -> Document:
    """What a Machine shows of its domain."""
    return {"state": state_of(facts), "cpu": facts.cpus, "memory": facts.memory_kib}


def _differs(machine: Resource, facts: DomainFacts) -> bool:
    return any(machine.document.get(name) != value for name, value in _shown(facts).items())
