"""The end of a Machine: its domain and disks go wherever they are, and nothing runs on unseen."""

from __future__ import annotations

from drivers.base import ConnectionState, Driver, DriverBusy, DriverUnavailable
from gateway.errors import Unavailable
from gateway.jobs.plan import StepContext
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid, seed_volume, volume_of
from gateway.orchestration.machine_core.whereabouts import Whereabouts, silent_hosts, whereabouts
from gateway.store.model import Resource

MOST_PASSES = 10


def _doubt(room: Room, machine: Resource, seen: Whereabouts) -> str:
    """Return why a delete may leave a running guest behind; empty when it cannot."""
    own = KeptMachine.of(machine).host
    # A host without entry is never asked: the guest may have been moved from there to one that is away now.
    unsure = seen.unsure or (own not in room.drivers and not seen.elsewhere and bool(seen.silent))
    if KeptMachine.of(machine).gone or not unsure:
        return ""
    silent = ", ".join(seen.silent)
    return f"the Machine's domain is not on {own}, and may be on {silent}, which does not answer; try again later"


async def demand_within_reach(room: Room, machine: Resource) -> None:
    """Raise Unavailable when the Machine's domain may be on a host that is away: deleting it would lose a guest."""
    if silent_hosts(room, machine) and (doubt := _doubt(room, machine, await whereabouts(room, machine))):
        raise Unavailable(doubt)


async def remove_domains(room: Room, machine: Resource) -> None:
    """Remove the Machine's domain from every host that has it, until none has.

    A domain that is being migrated meanwhile comes up again on the other side, so all hosts are asked again each time.
    Raises DriverUnavailable when the domain may be on a host that does not answer, and DriverBusy after MOST_PASSES.
    """
    own, removed = KeptMachine.of(machine).host, set[str]()
    for _ in range(MOST_PASSES):
        seen = await whereabouts(room, machine)
        if not seen.home_answers and own in room.drivers:
            raise DriverUnavailable(f"the hypervisor {own} does not answer")
        if not removed and (doubt := _doubt(room, machine, seen)):
            raise DriverUnavailable(doubt)
        having = [sighting.host for sighting in seen.elsewhere] + ([own] if seen.home is not None else [])
        if not having:
            break
        await _leave(room, machine, set(having) - removed - {own})
        for host in having:
            await room.drivers[host].domains.undefine(machine_uuid(machine))
            removed.add(host)
    else:
        raise DriverBusy("the Machine's domain comes up again and again on another host")
    # A host without the domain (any more) may still have its console's log.
    for host in {own, *await left_hosts(room, machine)} - removed:
        if room.drivers[host].connection is ConnectionState.UP:
            await room.drivers[host].domains.undefine(machine_uuid(machine))


async def _leave(room: Room, machine: Resource, hosts: set[str]) -> None:
    """Remember hosts that have disks of the Machine, before its domain there is gone."""
    if not hosts:
        return
    async with room.store.transaction() as transaction:
        current = await transaction.get(machine.path)
        if current is not None:
            left = tuple(sorted({*KeptMachine.of(current).left_hosts, *hosts}))
            await transaction.update(KeptMachine.changed(current, left_hosts=left))


async def left_hosts(room: Room, machine: Resource) -> list[str]:
    """Return the hosts of the configuration on which the Machine was, beside its own."""
    current = await room.store.get(machine.path) or machine
    return [host for host in KeptMachine.of(current).left_hosts if host in room.drivers]


async def remove_disks(context: StepContext, room: Room, machine: Resource, driver: Driver) -> None:
    """Remove the Machine's own disks and its seed from its host, and from those that it has left."""
    await _remove_disks(driver, machine)
    for host in await left_hosts(room, machine):
        left = room.drivers[host]
        if left.connection is ConnectionState.UP:
            await _remove_disks(left, machine)
        else:
            await context.log(f"disks of the Machine stay on {host}, which it left and which is away now", "warning")


async def _remove_disks(driver: Driver, machine: Resource) -> None:
    kept = KeptMachine.of(machine)
    for disk in kept.disks:
        await driver.storage.delete_volume(kept.pool, volume_of(machine, disk))
    await driver.storage.delete_volume(kept.pool, seed_volume(machine))
