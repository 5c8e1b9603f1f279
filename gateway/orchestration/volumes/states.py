"""The Volume's states: what is legal in which, the single source for checks and operations (DSP0263 5.16.1)."""

from __future__ import annotations

from gateway.errors import Conflict
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
    """What may be done now: a Volume that a Machine has, or that is not ours, is never deleted."""
    verbs = VOLUME_TRANSITIONS.get(volume.state or "", frozenset())
    if volume.internal.get("attachments") or is_foreign(volume):
        verbs = verbs - {"delete"}
    return verbs - {"grow"} if is_foreign(volume) else verbs


def is_foreign(volume: Resource) -> bool:
    """True for one that an admin made beside the gateway: it is shown, and never deleted."""
    return bool(volume.internal.get("foreign"))


def demand_legal(volume: Resource, verb: str) -> None:
    """Raises Conflict with the reason."""
    if verb in legal(volume):
        return
    attachments = volume.internal.get("attachments") or {}
    if verb == "delete" and attachments:
        raise Conflict(f"the Volume is connected to {', '.join(sorted(set(attachments.values())))}; detach it first")
    if is_foreign(volume) and verb in ("delete", "grow"):
        raise Conflict("the Volume was not made by this gateway, which leaves it as it is; use the host's own tools")
    reason = volume.document.get("statusMessage")
    because = f" ({reason})" if reason else ""
    raise Conflict(f"a Volume that is {volume.state} cannot {verb}{because}")
