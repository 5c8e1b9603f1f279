"""The states of Networks and NetworkPorts: what is legal in which, the single source (DSP0263 5.17.1, 5.18.1)."""

from __future__ import annotations

from drivers.base import NetworkFacts

TRANSIENT = {"start": "STARTING", "stop": "STOPPING", "delete": "DELETING"}
"""The state during each action."""
ACTIONS = frozenset({"start", "stop"})

NETWORK_TRANSITIONS: dict[str, frozenset[str]] = {
    "CREATING": frozenset(),
    "STARTING": frozenset(),
    "STARTED": frozenset({"edit", "delete", "stop"}),
    "STOPPING": frozenset(),
    "STOPPED": frozenset({"edit", "delete", "start"}),
    "DELETING": frozenset(),
    "ERROR": frozenset({"edit", "delete", "start"}),
}


def legal(state: str | None) -> frozenset[str]:
    """Return the verbs that are legal in a state."""
    return NETWORK_TRANSITIONS.get(state or "", frozenset())


def network_state(facts: NetworkFacts) -> str:
    """Return the Network's state by what the hypervisor tells, when no job of ours is at work on it."""
    return "STARTED" if facts.active else "STOPPED"
