"""The host that a Machine's domain is on: an admin may have moved it to another one by ``virsh migrate``.

The Machine's state is what its hypervisor tells of the domain, wherever that is.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from drivers.base import ConnectionState, DomainFacts, Driver, DriverError, DriverNotFound, Migration, Power
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import KeptMachine
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.machine_core.states import state_of
from gateway.store.model import Resource

INACTIVE = frozenset({Power.OFF, Power.SAVED, Power.CRASHED})


@dataclass(frozen=True, slots=True)
class Sighting:
    """The Machine's domain on a host that is not the Machine's own."""

    host: str
    facts: DomainFacts


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The answers of all hosts about one Machine's domain. ``silent`` are the other hosts that do not answer."""

    home: DomainFacts | None
    home_answers: bool
    elsewhere: tuple[Sighting, ...] = ()
    silent: tuple[str, ...] = ()

    @property
    def moved_to(self) -> Sighting | None:
        """The sighting on the host where the Machine lives by now.

        The value is None while the Machine lives on its own host, and while nobody can tell. A guest that runs on its
        own host stays there, whatever is elsewhere: until a migration is over the source has the guest, and the target
        a domain that is no guest yet. What is off is believed only where its own host is asked and has it no more; what
        runs is believed though its own host is away.
        """
        if self.home is not None and self.home.power not in INACTIVE:
            return None
        settled = [seen for seen in self.elsewhere if seen.facts.migration is not Migration.UNDERWAY]
        running = [seen for seen in settled if seen.facts.power not in INACTIVE]
        if running:
            return running[0]
        return settled[0] if settled and self.home is None and self.home_answers else None

    @property
    def twice(self) -> tuple[str, ...]:
        """The other hosts on which the guest runs beside its own: two guests with one disk and one address."""
        if self.home is None or self.home.power is not Power.RUNNING or self.home.migration is Migration.UNDERWAY:
            return ()
        running = (seen for seen in self.elsewhere if seen.facts.power is Power.RUNNING)
        return tuple(seen.host for seen in running if seen.facts.migration is not Migration.UNDERWAY)

    @property
    def gone(self) -> bool:
        """True when every host was asked, and none has the domain."""
        return self.home_answers and self.home is None and not self.elsewhere and not self.silent

    @property
    def unsure(self) -> bool:
        """True when the domain may be on a host that does not answer.

        The Machine's own host has the domain no more, or has sent it away.
        """
        sent_away = self.home is None or self.home.migration is Migration.LEFT
        return self.home_answers and sent_away and not self.elsewhere and bool(self.silent)


async def whereabouts(room: Room, machine: Resource) -> Whereabouts:
    """Ask all hosts of the configuration for a Machine's domain at once; return their answers.

    A host that hangs costs its deadline once.
    """
    own = KeptMachine.of(machine).host
    hosts = {name: driver for name, driver in room.drivers.items() if name == own or not driver.twin}
    said = dict(zip(hosts, await asyncio.gather(*(_ask(driver, machine) for driver in hosts.values())), strict=True))
    # The Machine's host may be in the configuration no more, and its guest on another one.
    home = said.pop(own, Said(answers=False))
    # A domain of the same UUID without our mark is another's copy, and no Machine.
    elsewhere = [(name, each.facts) for name, each in said.items() if each.facts and each.facts.machine == machine.path]
    silent = tuple(name for name, each in said.items() if not each.answers)
    return Whereabouts(home.facts, home.answers, tuple(Sighting(*entry) for entry in elsewhere), silent)


@dataclass(frozen=True, slots=True)
class Said:
    """The answer of one host about a domain; ``facts`` are None where it is not, and where nobody can tell."""

    answers: bool
    facts: DomainFacts | None = None


async def _ask(driver: Driver, machine: Resource) -> Said:
    try:
        return Said(True, await driver.domains.read(machine_uuid(machine)))
    except DriverNotFound:
        return Said(answers=True)
    except DriverError:
        return Said(answers=False)


def silent_hosts(room: Room, machine: Resource) -> tuple[str, ...]:
    """Return the names of the other hosts that are away, without asking any."""
    return tuple(
        name
        for name, driver in room.drivers.items()
        if name != KeptMachine.of(machine).host and not driver.twin and driver.connection is not ConnectionState.UP
    )


async def true_state(room: Room, machine: Resource, driver: Driver, reached: str | None = None) -> str:
    """Return the Machine's state as the hypervisor reports it.

    While the hypervisor reports nothing, return the state that the Job ``reached``, else the one before the Job.
    """
    try:
        return state_of(await driver.domains.read(machine_uuid(machine)))
    except DriverNotFound:
        seen = await whereabouts(room, machine)
        if seen.moved_to is not None:
            return state_of(seen.moved_to.facts)
        if seen.gone:
            return "ERROR"
    except DriverError:
        pass
    # A hypervisor is away: the comparison after the reconnect will tell.
    return reached or KeptMachine.of(machine).state_before or "ERROR"
