"""Running domains whose definition an admin took away: they are defined again, or a stop would lose the Machine."""

from __future__ import annotations

import structlog

from drivers.base import DomainFacts, Driver, DriverNotFound, Migration
from gateway.jobs.plan import Plan
from gateway.orchestration.attachments.reconcile import AttachmentReconciler
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.room import Room
from gateway.orchestration.interfaces.address_watch import AddressWatch
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.whereabouts import Whereabouts
from gateway.orchestration.machines.moving import MovedDomains, observed
from gateway.orchestration.machines.steps import DefineAgain
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from gateway.orchestration.snapshots.reconcile import SnapshotReconciler
from gateway.store.durable import Hosted
from gateway.store.model import Resource

log = structlog.get_logger("sync")


class MachineReconciler:
    """The comparison of Machines with domains.

    The state of a Machine that a Job holds is written by that Job alone.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self.addresses = AddressWatch(room)
        self.attachments = AttachmentReconciler(room)
        self.snapshots = SnapshotReconciler(room)
        self.transient = TransientDomains(room)
        self.moved = MovedDomains(room)
        self._apart = Apart(room.supervision, "machines")

    async def compare(self, driver: Driver) -> None:
        """Compare all Machines of a host with its domains. Domains that are no Machine's are left alone."""
        facts = {domain.uuid: domain for domain in await driver.domains.list_all()}
        async for machine in self.room.store.every("Machine"):
            facts_of_machine = facts.get(machine_uuid(machine))
            if facts_of_machine is not None or Hosted.of(machine).host == driver.name:
                with self._apart.each(machine.path, driver):
                    await self._compare_machine(driver, machine, facts_of_machine)

    async def _compare_machine(self, driver: Driver, machine: Resource, facts: DomainFacts | None) -> None:
        if machine.held_by is not None:
            return
        if Hosted.of(machine).host != driver.name:
            await self._follow(machine)
            return
        if facts is None and machine.state == "ERROR":
            return
        if facts is None or _differs(machine, facts) or not facts.persistent:
            # The bulk read may be older than a job that ended since: only a fresh look decides.
            await self.look(driver, machine_uuid(machine))
        else:
            await self.attachments.compare(machine, facts)
            await self.snapshots.compare(machine)
            self.addresses.look_at(machine)

    async def _follow(self, machine: Resource) -> Whereabouts:
        """Take over a Machine whose domain is on another host by now; return what all hosts say of it."""
        seen = await self.moved.follow(machine)
        if seen.moved_to is not None:
            await self.apply(self.room.drivers[seen.moved_to.host], seen.moved_to.facts)
        return seen

    async def apply(self, driver: Driver, facts: DomainFacts) -> None:
        """Make a Machine what its host says of its domain; what another host says may mean that it came there."""
        path = f"machines/{facts.uuid}"
        before = await self.room.store.get(path)
        if before is None or before.held_by is not None:
            return
        if Hosted.of(before).host != driver.name:
            await self._follow(before)
            return
        if facts.migration is Migration.LEFT:
            seen = await self._follow(before)
            if seen.moved_to is not None or seen.unsure:
                return
        await self.transient.compare(before, facts)
        await self.attachments.compare(before, facts)
        if not _differs(before, facts):
            self.addresses.look_at(before)
            return
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or not _still(machine, driver):
                return
            changed = KeptMachine.changed(machine.with_document(**observed(facts)), gone=False)
            machine = await transaction.update(changed)
            if machine.state == "ERROR" and before.state != "ERROR":
                await tell(transaction, alarm(machine, "fault", facts.reason or "the guest is in error"))
        log.info("state changed outside", machine=path, before=before.state, state=machine.state, reason=facts.reason)
        self.addresses.look_at(machine)

    async def look(self, driver: Driver, uuid: str) -> None:
        """Ask libvirt for one domain. When it is gone its Machine is in ERROR: a user sees that, and may delete it."""
        try:
            await self.apply(driver, await driver.domains.read(uuid))
            return
        except DriverNotFound:
            pass
        path = f"machines/{uuid}"
        before = await self.room.store.get(path)
        if before is None or not _still(before, driver) or not (await self._follow(before)).gone:
            return
        async with self.room.store.transaction() as transaction:
            machine = await transaction.get(path)
            if machine is None or not _still(machine, driver) or machine.state == "ERROR":
                return
            lost = KeptMachine.changed(machine.with_document(state="ERROR"), gone=True)
            machine = await transaction.update(lost)
            await tell(transaction, alarm(machine, "domain-gone", "its domain was removed from the hypervisor"))
        log.warning("domain is gone", machine=path)


class TransientDomains:
    """The domains that run without a definition.

    Each gets one Job, under the Machine's lock, so that no delete comes between.
    """

    def __init__(self, room: Room) -> None:
        self.room = room
        self._seen: set[str] = set()

    async def compare(self, machine: Resource, facts: DomainFacts) -> None:
        """Begin a Job that defines the domain again when it has lost its definition."""
        if facts.persistent:
            self._seen.discard(machine.path)
            return
        if machine.path in self._seen:
            return
        self._seen.add(machine.path)
        plan = Plan(
            action="edit",
            target=machine.path,
            project=machine.project or "",
            steps=(DefineAgain(machine.path).call(),),
            locks=(machine.path,),
            reason="its domain was undefined while it runs",
        )
        async with self.room.store.transaction() as transaction:
            job = await self.room.runner.submit(transaction, plan)
        log.warning("domain was undefined while it runs; it is defined again", machine=machine.path, job=job)


def _still(machine: Resource, driver: Driver) -> bool:
    """Return whether this host's word counts: the Machine lives there, and no Job holds it."""
    return Hosted.of(machine).host == driver.name and machine.held_by is None


def _differs(machine: Resource, facts: DomainFacts) -> bool:
    return any(machine.document.get(name) != value for name, value in observed(facts).items())
