"""If-Match and If-None-Match: which entity tags a client means (RFC 9110, 13.1; DSP0263 4.1.7)."""

from __future__ import annotations

from collections.abc import Collection

ANY = "*"
"""Whatever the resource is by now."""


def names(header: str, tags: Collection[str], *, weakly: bool = False) -> bool:
    """Whether the header names one of the tags. ``weakly``: a tag that a proxy has weakened is still the same."""
    entries = {entry.strip() for entry in header.split(",")}
    if weakly:
        entries = {entry.removeprefix("W/") for entry in entries}
    return ANY in entries or not entries.isdisjoint(tags)
