"""Machines whose domains were moved to another host outside: the record follows the guest."""

from __future__ import annotations

import structlog

from drivers.base import DomainFacts, DriverError
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.states import state_of
from gateway.orchestration.machine_core.whereabouts import Sighting, Whereabouts, whereabouts
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

log = structlog.get_logger("sync")


def observed(facts: DomainFacts) -> Document:
    """Return what a Machine shows of its domain."""
    return {"state": state_of(facts), "cpu": facts.cpus, "memory": facts.memory_kib}


class MovedDomains:
    """The search for domains that their Machines' hosts have no more, by which a Machine follows its guest."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._raised: set[tuple[str, str]] = set()
        """The Machine and the code of each alarm that was raised already, and holds on."""

    async def follow(self, machine: Resource) -> Whereabouts:
        """Take a Machine over to the host where its domain is, if that is another; return what all hosts say."""
        seen = await whereabouts(self.room, machine)
        await self._tell(machine, "runs-twice", seen.twice, "its guest runs on two hosts at once; stop one of them")
        # A domain that is gone for good is gone, whoever is silent by now.
        unsure = seen.silent if seen.unsure and not KeptMachine.of(machine).gone else ()
        await self._tell(machine, "domain-missing", unsure, "its domain may be on a hypervisor that does not answer")
        if seen.moved_to is not None:
            await self._take_over(machine, seen.moved_to)
        return seen

    async def _take_over(self, machine: Resource, sighting: Sighting) -> None:
        volumes = await self._volumes(machine, sighting)
        old = KeptMachine.of(machine).host
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is None or current.held_by is not None or KeptMachine.of(current).host != old:
                return
            left = tuple(sorted({*KeptMachine.of(current).left_hosts, old} - {sighting.host}))
            current = current.with_document(**observed(sighting.facts))
            moved = KeptMachine.changed(current, host=sighting.host, left_hosts=left, gone=False)
            current = await transaction.update(moved)
            for attachment in volumes:
                await _bring(transaction, attachment, sighting.host)
            detail = f"its domain was moved from {old} to {sighting.host}"
            await tell(transaction, alarm(current, "moved", detail, severity="medium", outcome="Warning"))
        log.warning("domain was moved outside", machine=machine.path, before=old, host=sighting.host)

    async def _volumes(self, machine: Resource, sighting: Sighting) -> list[Resource]:
        """Return the connections whose Volumes the new host has in a pool of the same name, and the domain uses."""
        driver, targets = self.room.drivers[sighting.host], {disk.target for disk in sighting.facts.disks}
        there = []
        for attachment in await self.room.store.children(machine.path, "MachineVolume"):
            kept = KeptAttachment.of(attachment)
            if kept.target not in targets:
                continue
            try:
                await driver.storage.read_volume(kept.pool, kept.volume)
            except DriverError as error:
                log.warning("volume stays behind", machine=machine.path, volume=kept.volume, reason=str(error))
                continue
            there.append(attachment)
        return there

    async def _tell(self, machine: Resource, code: str, hosts: tuple[str, ...], detail: str) -> None:
        """Raise an alarm once, for as long as there are such hosts."""
        key = (machine.path, code)
        if not hosts:
            self._raised.discard(key)
            return
        if key in self._raised:
            return
        self._raised.add(key)
        where = ", ".join((KeptMachine.of(machine).host, *hosts) if code == "runs-twice" else hosts)
        log.error(code, machine=machine.path, hosts=where)
        async with self.room.store.transaction() as transaction:
            current = await transaction.get(machine.path)
            if current is not None:
                await tell(transaction, alarm(current, code, f"{detail}: {where}"))


async def _bring(transaction: Transaction, attachment: Resource, host: str) -> None:
    """Take a Volume that was moved with its Machine to the host, since the guest writes to the new copy of it."""
    await transaction.update(KeptAttachment.changed(attachment, host=host))
    volume = await transaction.get(attachment.document["volume"]["href"])
    if volume is not None:
        await transaction.update(KeptVolume.changed(volume, host=host))
