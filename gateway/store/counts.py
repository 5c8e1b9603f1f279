"""Counts that are kept as long as they are true."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

CACHED_COUNTS = 1000


class CountCache:
    """Counts of filtered collections, dropped when a resource of the kind changes."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._generations: dict[str, int] = {}

    def changed(self, kinds: Iterable[str]) -> None:
        """Forget the counts of kinds of which resources have changed."""
        for kind in kinds:
            self._generations[kind] = self._generations.get(kind, 0) + 1

    async def count(self, kind: str, question: tuple[Any, ...], ask: Callable[[], Awaitable[int]]) -> int:
        """Return the count for a question about a kind: the kept one, or else what ``ask`` answers."""
        key = (kind, self._generations.get(kind, 0), *question)
        if key not in self._counts:
            self._counts[key] = await ask()
            while len(self._counts) > CACHED_COUNTS:
                self._counts.popitem(last=False)
        return self._counts[key]
