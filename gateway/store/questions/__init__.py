"""Questions to the store beside resources and pages; each says which index answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Fetching(Protocol):
    """A store, or what stands before one, that reads rows."""

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a read."""
        ...


def marks(values: Sequence[object]) -> str:
    """Return a place in SQL for each of the values."""
    return ", ".join("?" for _ in values)
