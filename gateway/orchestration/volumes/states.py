"""The Volume's states: what is legal in which, the single source for checks and operations (DSP0263 5.16.1)."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.store.model import Resource

VOLUME_TRANSITIONS: dict[str, frozenset[str]] = {
    "CREATING": frozenset({"edit", "delete"}),
    "AVAILABLE": frozenset({"edit", "grow", "delete", "attach", "snapshot"}),
    "CAPTURING": frozenset({"edit"}),
    "DELETING": frozenset(),
    "ERROR": frozenset({"edit", "delete"}),
}
"""``edit`` is of name, description and properties; the capacity is another matter."""


def legal(volume: Resource) -> frozenset[str]:
    """Return what may be done with a Volume now: one that a Machine has, or that is not ours, is never deleted."""
    verbs, kept = VOLUME_TRANSITIONS.get(volume.state or "", frozenset()), KeptVolume.of(volume)
    if kept.attachments or kept.foreign:
        verbs = verbs - {"delete"}
    return verbs - {"grow"} if kept.foreign else verbs


def demand_legal(volume: Resource, verb: str) -> None:
    """Raise Conflict, with the reason, when this must not be done with the Volume now."""
    if verb in legal(volume):
        return
    kept = KeptVolume.of(volume)
    if verb == "delete" and kept.attachments:
        machines = ", ".join(sorted(set(kept.attachments.values())))
        raise Conflict(f"the Volume is connected to {machines}; detach it first")
    if kept.foreign and verb in ("delete", "grow"):
        raise Conflict("the Volume was not made by this gateway, which leaves it as it is; use the host's own tools")
    reason = volume.document.get("statusMessage")
    because = f" ({reason})" if reason else ""
    raise Conflict(f"a Volume that is {volume.state} cannot {verb}{because}")
