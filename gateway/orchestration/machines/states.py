"""The Machine's states: what is legal in which, the single source for checks, operations and docs (DSP0263 5.14.1)."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import DomainFacts, Power

TRANSIENT = {
    "start": "STARTING",
    "stop": "STOPPING",
    "restart": "STOPPING",
    "pause": "PAUSING",
    "suspend": "SUSPENDING",
    "delete": "DELETING",
}
"""The state during each action."""


@dataclass(frozen=True, slots=True)
class Legal:
    """What a state allows. ``interrupts``: actions that first stop the job which holds the Machine."""

    actions: frozenset[str]
    interrupts: frozenset[str] = frozenset()


def _legal(actions: str, interrupts: str = "") -> Legal:
    return Legal(frozenset(f"{actions} {interrupts}".split()), frozenset(interrupts.split()))


MACHINE_TRANSITIONS: dict[str, Legal] = {
    "CREATING": _legal("", "delete"),
    "STARTING": _legal("", "stop delete"),
    "STARTED": _legal("stop restart pause suspend edit delete plug unplug"),
    "STOPPING": _legal("", "stop delete"),
    "STOPPED": _legal("start restart edit delete plug unplug"),
    "PAUSING": _legal("", "stop delete"),
    "PAUSED": _legal("start stop restart suspend edit delete plug unplug"),
    "SUSPENDING": _legal("", "stop delete"),
    "SUSPENDED": _legal("start stop restart edit delete"),
    "DELETING": _legal("delete"),
    "ERROR": _legal("start stop restart edit delete unplug"),
}
"""``plug`` and ``unplug`` are of devices: while SUSPENDED the kept state says which devices there are."""
ALWAYS = ("console",)
DEVICE_CHANGES = frozenset({"plug", "unplug"})
"""Asked for at the Machine's collections, and so no actions of its own."""


def legal(state: str | None) -> Legal:
    return MACHINE_TRANSITIONS.get(state or "", Legal(frozenset()))


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
    """The Machine's state by what the hypervisor tells, when no job of ours is at work on it."""
    return STATES[facts.power]
