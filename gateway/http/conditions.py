"""If-Match and If-None-Match: which entity tags a client means (RFC 9110, 13.1; DSP0263 4.1.7).

aiohttp's ``if_match`` and ``if_none_match`` read the first of several header lines alone, and take ``"*"`` for ``*``.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.errors import Invalid

ANY = "*"
"""Whatever the resource is by now."""
MOST_TAGS = 256


def names(header: str, tags: Collection[str], *, weakly: bool = False) -> bool:
    """Return whether the header names one of the tags. Raises Invalid for more than ``MOST_TAGS``.

    ``weakly``: a tag that a proxy has weakened is still the same. Costs linear time: what stands between two quotes is
    one tag, commas and all.
    """
    parts = header.split('"')
    outside, inside = parts[0::2], parts[1 : len(parts) - 1 : 2]
    if len(inside) > MOST_TAGS:
        raise Invalid(f"If-Match and If-None-Match name at most {MOST_TAGS} entity tags, not {len(inside)}")
    if any(entry.strip() == ANY for part in outside for entry in part.split(",")):
        return True
    return any(
        f'"{tag}"' in tags and (weakly or not before.endswith("W/"))
        for before, tag in zip(outside, inside, strict=False)
    )
