"""The Machine's states: what is legal in which, the single source for checks, operations and docs (DSP0263 5.14.1)."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import DomainFacts, DriverConflict, Power
from gateway.errors import Conflict

TRANSIENT = {
    "start": "STARTING",
    "stop": "STOPPING",
    "restart": "STOPPING",
    "pause": "PAUSING",
    "suspend": "SUSPENDING",
    "capture": "CAPTURING",
    "snapshot": "CAPTURING",
    "restore": "RESTORING",
    "delete": "DELETING",
}
"""The state during each action. A Machine that runs is captured without leaving its state."""


REACHED = {"start": "STARTED", "restart": "STARTED", "stop": "STOPPED", "pause": "PAUSED", "suspend": "SUSPENDED"}
"""The state after each action that succeeded."""


@dataclass(frozen=True, slots=True)
class Legal:
    """The actions that a state allows.

    ``interrupts`` are the actions that first stop the Job which holds the Machine.
    """

    actions: frozenset[str]
    interrupts: frozenset[str] = frozenset()


def _legal(actions: str, interrupts: str = "") -> Legal:
    return Legal(frozenset(f"{actions} {interrupts}".split()), frozenset(interrupts.split()))


MACHINE_TRANSITIONS: dict[str, Legal] = {
    "CREATING": _legal("", "delete"),
    "STARTING": _legal("", "stop delete"),
    "STARTED": _legal("stop restart pause suspend capture snapshot restore edit delete plug unplug"),
    "STOPPING": _legal("", "stop delete"),
    "STOPPED": _legal("start restart capture snapshot restore edit delete plug unplug"),
    "PAUSING": _legal("", "stop delete"),
    "PAUSED": _legal("start stop restart suspend capture snapshot restore edit delete plug unplug"),
    "SUSPENDING": _legal("", "stop delete"),
    "SUSPENDED": _legal("start stop restart capture restore edit delete"),
    "CAPTURING": _legal(""),
    "RESTORING": _legal(""),
    "DELETING": _legal("delete"),
    "ERROR": _legal("start stop restart restore edit delete unplug"),
}
"""``plug`` and ``unplug`` are of devices: while SUSPENDED the kept state says which devices there are."""
ALWAYS = ("console",)
DEVICE_CHANGES = frozenset({"plug", "unplug"})
"""The changes that are asked for at the Machine's collections, and so are no actions of its own."""


def legal(state: str | None) -> Legal:
    """Return what the state allows; nothing for an unknown state."""
    return MACHINE_TRANSITIONS.get(state or "", Legal(frozenset()))


def demand_legal(state: str | None, verb: str) -> None:
    """Raise Conflict, with what is legal instead, when the state does not allow the verb."""
    actions = legal(state).actions
    if verb not in actions:
        allowed = ", ".join(sorted(actions - DEVICE_CHANGES)) or "nothing until its job ends"
        raise Conflict(f"a Machine that is {state} cannot {verb}; it allows {allowed}")


STATES = {
    Power.RUNNING: "STARTED",
    Power.PAUSED: "PAUSED",
    Power.SHUTTING_DOWN: "STOPPING",
    Power.OFF: "STOPPED",
    Power.SAVED: "SUSPENDED",
    Power.HELD: "ERROR",
    Power.CRASHED: "ERROR",
}


def state_of(facts: DomainFacts) -> str:
    """Return the Machine's state by what the hypervisor reports, while no Job is at work on the Machine."""
    return STATES[facts.power]


def refuse_other_power(power: Power, live: bool) -> None:
    """Raise DriverConflict when the guest was started or stopped before its disk is copied.

    ``live`` says that the guest is expected to run. The copy of a disk that is written meanwhile is good for nothing.
    """
    active = power in (Power.RUNNING, Power.PAUSED, Power.SHUTTING_DOWN)
    if live and not active:
        raise DriverConflict("the Machine was stopped before its disk was copied; capture it again")
    if active and not live:
        raise DriverConflict("the Machine was started outside while its disk was to be copied; capture it again")
