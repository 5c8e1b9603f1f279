"""Secrets that the store could not open, since its key is another one than they were sealed with.

Where one is needed, the request or the Job is refused with words; everything else goes on without it.
"""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict
from gateway.store.sealing import holds_sealed

ADVICE = "set it anew, or give the gateway its former key back ([store] former_keys)"


def demand_readable(value: Any, what: str) -> None:
    """Raise Conflict when a secret stands anywhere in the value that the store could not open."""
    if holds_sealed(value):
        raise Conflict(f"{what} has a secret that cannot be read: the store's key was another one; {ADVICE}")
