"""The catalogue: each statement of the standard that a client can observe, from the files in ``entries``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

LEVELS = ("shall", "should", "may")
FORMATS = ("json", "xml")
FAMILIES = (
    "protocol",
    "queries",
    "model",
    "metadata",
    "capabilities",
    "machines",
    "machine_parts",
    "machine_images",
    "credentials",
    "volumes",
    "networks",
    "monitoring",
    "jobs",
    "systems",
    "packages",
)
"""The files, in the order of the reports."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Statement of the standard. ``clause`` is of DSP0263 2.0.0, or of what it names; ``text`` is in our own words."""

    id: str
    family: str
    title: str
    clause: str
    level: str
    dialect: str
    resource: str
    text: str
    formats: tuple[str, ...]


@cache
def catalogue() -> dict[str, Entry]:
    """Return all entries by id. Raises ValueError for a file that is wrong, saying where."""
    entries: dict[str, Entry] = {}
    for family in FAMILIES:
        for entry in _read(family):
            if entry.id in entries:
                raise ValueError(f"{family}.toml: {entry.id} stands in the catalogue already")
            entries[entry.id] = entry
    return entries


def _read(family: str) -> list[Entry]:
    content = tomllib.loads((files("conformance") / "entries" / f"{family}.toml").read_text(encoding="utf-8"))
    title, dialect, resource = content.pop("title"), content.pop("dialect"), content.pop("resource")
    entries = []
    for name, given in content.items():
        members = {"clause", "level", "dialect", "resource", "text", "formats"}
        wrong = set(given) - members or {"clause", "level", "text"} - set(given)
        if wrong or given["level"] not in LEVELS or set(given.get("formats", FORMATS)) - set(FORMATS):
            raise ValueError(f"{family}.toml: [{name}]: look at {', '.join(sorted(wrong)) or 'level and formats'}")
        entries.append(
            Entry(
                id=name,
                family=family,
                title=title,
                clause=given["clause"],
                level=given["level"],
                dialect=given.get("dialect", dialect),
                resource=given.get("resource", resource),
                text=given["text"],
                formats=tuple(given.get("formats", FORMATS)),
            )
        )
    return entries
