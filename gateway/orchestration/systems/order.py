"""In which order the members of a System start, and how long the next ones wait: by properties of the members."""

from __future__ import annotations

from gateway.store.model import Resource

START_ORDER = "startOrder"
"""A whole number as text; what has a lower one starts earlier and stops later. Without one it is 0."""
STARTUP = "ovf.startup."
"""Before the words of a package's StartupSection where they stand in properties."""
DELAYS = {"start": "startDelay", "restart": "startDelay", "stop": "stopDelay"}
"""Word of a StartupSection for the wait after an action, before the next in order (DSP0243 9.7)."""
LONGEST_DELAY = 3600
"""Seconds; a longer wait ends then."""


def start_order(properties: dict[str, str] | None) -> int:
    """Return the number that the properties say. Raises ValueError with words for people."""
    text = (properties or {}).get(START_ORDER, "0").strip()
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number, not {text[:40]!r}") from None


def in_order(members: list[Resource], *, backwards: bool) -> list[list[Resource]]:
    """Return the members in groups, those first that move first; a number that is none counts as 0."""
    groups: dict[int, list[Resource]] = {}
    for member in members:
        groups.setdefault(_order(member), []).append(member)
    return [groups[order] for order in sorted(groups, reverse=backwards)]


def delay_after(member: Resource, action: str) -> int:
    """Return the seconds that the next in order wait after this action on the member; what is no number is 0."""
    word = DELAYS.get(action)
    text = str((member.document.get("properties") or {}).get(f"{STARTUP}{word}", "")).strip()
    return min(int(text), LONGEST_DELAY) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _order(member: Resource) -> int:
    try:
        return start_order(member.document.get("properties"))
    except ValueError:
        return 0
