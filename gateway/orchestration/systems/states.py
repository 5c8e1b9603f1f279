"""The System's state by those of its Machines, and what it allows: the one place (DSP0263 5.13.1, 5.13.2)."""

from __future__ import annotations

from collections.abc import Collection

from gateway.errors import Conflict
from gateway.orchestration.machine_core.states import legal
from gateway.orchestration.systems.facts import KeptSystem
from gateway.store.model import Resource

ACTIONS = ("restart", "start", "stop", "pause", "suspend")
"""Actions in the order of a System's operations: ``restart`` before ``start``, as old clients need it of a Machine."""
BACKWARDS = frozenset({"stop", "pause", "suspend"})
"""What is done to the members in the opposite order."""
OWN_LIFE = frozenset({"CREATING", "DELETING", "ERROR"})
"""States of the System itself, which say nothing about its Machines."""
COMMON = frozenset({"STARTING", "STARTED", "STOPPING", "STOPPED", "PAUSING", "PAUSED", "SUSPENDING", "SUSPENDED"})
"""What a System is when all its Machines are."""


def derived_state(machines: Collection[str]) -> str:
    """Return the System's state by those of all its Machines, those of the Systems inside with them."""
    states = set(machines)
    return states.pop() if len(states) == 1 and states <= COMMON else "MIXED"


def actions_of(system: Resource) -> frozenset[str]:
    """Return what at least one of its Machines can do now; everything where it has none: that is done at once."""
    if system.state in ("CREATING", "DELETING"):
        return frozenset()
    states = KeptSystem.of(system).states
    offered = frozenset(action for state in states for action in legal(state).actions) & frozenset(ACTIONS)
    return offered if states else frozenset(ACTIONS)


def verbs_of(system: Resource) -> frozenset[str]:
    """Return the legal operations of every kind."""
    if system.state == "DELETING":
        return frozenset()
    if system.state == "CREATING":
        return frozenset({"delete"})
    actions = actions_of(system)
    return (actions & {"stop"} if _at_work(system) else actions) | {"edit", "delete", "export"}


def _at_work(system: Resource) -> bool:
    """Return whether a Job moves its Machines: another can only end that, which ``stop`` does."""
    return system.held_by is not None


def demand_legal(system: Resource, verb: str) -> None:
    """Raise Conflict for what is not legal now, with what is instead."""
    verbs = verbs_of(system)
    if verb in actions_of(system) - verbs:
        raise busy(system)
    if verb not in verbs:
        allowed = ", ".join(sorted(verbs)) or "nothing until its job ends"
        raise Conflict(f"a System that is {system.state} cannot {verb}; it allows {allowed}")


def busy(system: Resource) -> Conflict:
    """Return what is wrong with another request while a Job is at work."""
    return Conflict(f"{system.held_by} is at work on the System; wait for it, or stop the System")
