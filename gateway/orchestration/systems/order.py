"""In which order the members of a System start: by their property ``startOrder``."""

from __future__ import annotations

from gateway.store.model import Resource

START_ORDER = "startOrder"
"""A whole number as text; what has a lower one starts earlier and stops later. Without one it is 0."""


def start_order(properties: dict[str, str] | None) -> int:
    """Raises ValueError with words for people."""
    text = (properties or {}).get(START_ORDER, "0").strip()
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"must be a whole number, not {text[:40]!r}") from None


def in_order(members: list[Resource], *, backwards: bool) -> list[list[Resource]]:
    """The members in groups, those first that move first; a number that is none counts as 0."""
    groups: dict[int, list[Resource]] = {}
    for member in members:
        groups.setdefault(_order(member), []).append(member)
    return [groups[order] for order in sorted(groups, reverse=backwards)]


def _order(member: Resource) -> int:
    try:
        return start_order(member.document.get("properties"))
    except ValueError:
        return 0
