"""The time that an answer waits for its Job: by the configuration, or the client's Prefer header (RFC 7240)."""

from __future__ import annotations

import re

LONGEST = 60.0


def seconds_to_wait(prefer: str | None, default: float) -> tuple[float, str | None]:
    """Return the seconds to wait, and what Preference-Applied is to say."""
    if prefer is None:
        return default, None
    wait = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})", prefer, re.IGNORECASE)
    if wait is not None:
        return min(float(wait.group(1)), LONGEST), f"wait={wait.group(1)}"
    if re.search(r"(?:^|[,;\s])respond-async", prefer, re.IGNORECASE):
        return 0.0, "respond-async"
    return default, None
