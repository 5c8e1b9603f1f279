"""Other spellings of the collections' names, which clients of 1.x built into their URLs: ``machine_images``.

They are taken and never shown.
"""

from __future__ import annotations

import re

from gateway.cimi.registry import TYPES, VIEWS, collection_at
from gateway.cimi.resource_type import ResourceType


def snake_case(name: str) -> str:
    """Return a name of the standard as some providers of 1.0 spelled it in URLs: ``machineImages`` as
    ``machine_images``.
    """
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


def _spellings(described: ResourceType, segment: str) -> set[str]:
    """Return the other names of a collection: by its URL here, and by what it holds (``machine_configurations``)."""
    return {snake_case(segment), snake_case(described.items_key)} - {segment}


ALIASES: dict[tuple[str | None, str], str] = {
    **{
        (declared.parent, spelling): declared.segment
        for declared in TYPES.values()
        if not declared.singleton
        for spelling in _spellings(declared, declared.segment)
    },
    **{
        (owner, spelling): segment
        for (owner, segment), declared in VIEWS.items()
        for spelling in _spellings(declared, segment)
    },
}
"""The segment of a collection by the kind that it is nested in, None for a root collection, and another spelling."""


def canonical(path: str) -> str:
    """Return the path with its collections spelled as this gateway does; a path without aliases as it is."""
    parts = path.split("/")
    kind: str | None = None
    for place in range(0, len(parts), 2):
        parts[place] = ALIASES.get((kind, parts[place]), parts[place])
        described = collection_at("/".join(parts[: place + 1]))
        if described is None:
            break
        kind = described.kind
    return "/".join(parts)
