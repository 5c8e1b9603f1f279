"""The choice of a Volume's pool, and the bytes that a pool may still promise."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Driver, DriverNotFound, PoolFacts, PoolSettings
from gateway.errors import Invalid, NoSpace, NotImplementedHere, Unavailable
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.room import Room
from gateway.store.questions.images import promised_bytes

KILOBYTE = 1000
"""Bytes, as CIMI counts."""
GRAIN = 1024 * 1024
"""Bytes. Volumes are made in whole MiB, as guests and qcow2 like them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The demands of a new Volume on its pool. ``where`` is the way to its configuration in the request."""

    type: str
    format: str | None
    size: int
    """Bytes."""
    where: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """A pool that takes a Volume, and the format that the Volume will have there."""

    host: str
    settings: PoolSettings
    facts: PoolFacts
    format: str


def whole(size: int) -> int:
    """Return a size in bytes, rounded up to what is really made."""
    return -(-size // GRAIN) * GRAIN


async def choose(room: Room, hosts: list[str], wanted: Wanted) -> Chosen:
    """Return the pool that takes this type and format and has most to give. Raise what the request deserves."""
    taking = [(host, pool) for host in hosts for pool in room.hypervisors[host].every_pool if wanted.type in pool.types]
    if not taking:
        types = sorted({kind for host in hosts for pool in room.hypervisors[host].every_pool for kind in pool.types})
        raise Invalid(f"no pool takes {wanted.type[:200]!r}; known are {', '.join(types)}", f"{wanted.where}.type")
    refusals: list[Exception] = []
    fitting: list[tuple[int, Chosen]] = []
    for host, settings in taking:
        try:
            chosen = await _fitting(room.drivers[host], host, settings, wanted)
            fitting.append((await free(room, chosen), chosen))
        except (Invalid, Unavailable, NotImplementedHere) as error:
            refusals.append(error)
    if not fitting:
        raise refusals[0]
    return max(fitting, key=lambda entry: entry[0])[1]


async def _fitting(driver: Driver, host: str, settings: PoolSettings, wanted: Wanted) -> Chosen:
    demand_up(driver)
    facts = await pool_facts(driver, settings.name)
    if not driver.storage.can_create(facts):
        raise NotImplementedHere(f"volumes cannot be made in the pool {settings.name}, which is of kind {facts.kind}")
    possible = settings.formats or list(driver.storage.formats(facts))
    chosen = wanted.format or possible[0]
    if chosen not in possible or chosen not in driver.storage.formats(facts):
        raise Invalid(f"{chosen!r} is not stored there; it takes {' or '.join(possible)}", f"{wanted.where}.format")
    fitting = Chosen(host, settings, facts, chosen)
    _demand_possible(fitting, wanted.size, f"{wanted.where}.capacity")
    return fitting


def _demand_possible(chosen: Chosen, size: int, where: str) -> None:
    """Raise Invalid for what the pool could not promise if it were empty."""
    most = int(chosen.settings.overcommit * chosen.facts.capacity)
    if size > most:
        beyond = f"{size // KILOBYTE} kilobytes are beyond the pool, which may promise {most // KILOBYTE}"
        raise Invalid(beyond, where)


async def pool_facts(driver: Driver, name: str) -> PoolFacts:
    """Return the running pool. Raise Unavailable, with what to do, when it is not there."""
    with translating():
        try:
            facts = await driver.storage.read_pool(name)
        except DriverNotFound:
            missing = f"the hypervisor has no pool {name}; define it, or describe it in the configuration"
            raise Unavailable(missing) from None
    if not facts.active:
        raise Unavailable(f"the pool {name} is inactive; start it (virsh pool-start {name})")
    return facts


def demand_growing(driver: Driver, facts: PoolFacts) -> None:
    """Raise NotImplementedHere, naming the capacity, where what lies in the pool keeps its size."""
    if not driver.storage.can_grow(facts):
        raise NotImplementedHere(f"capacity: volumes of a pool of kind {facts.kind} do not grow; make a larger one")


async def free(room: Room, chosen: Chosen) -> int:
    """Return the bytes that may still be promised: the size times the overcommit, less what is taken or promised."""
    key, facts = (chosen.host, chosen.settings.name), chosen.facts
    taken = room.ledger.taken(key)
    outstanding = max(0, await promised_bytes(room.store, *key) - taken)
    return int(chosen.settings.overcommit * facts.capacity) - (facts.capacity - facts.available) - outstanding


async def demand_room(room: Room, chosen: Chosen, size: int, where: str, beside: int = 0) -> None:
    """Raise NoSpace for so many bytes that the pool cannot promise now, Invalid for what it never could.

    ``beside`` are the bytes that the same transaction has promised already. This has to be called inside the
    transaction that writes the promise: of two at once one sees the other.
    """
    _demand_possible(chosen, size, where)
    left = await free(room, chosen) - beside
    if size > left:
        raise NoSpace(
            f"{where}: the pool {chosen.settings.name} may promise {max(0, left) // KILOBYTE} kilobytes more, not "
            f"{size // KILOBYTE}"
        )
