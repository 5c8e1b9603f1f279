"""Quotas that are looked at as things happen, in no transaction: Jobs at once, readers of the stream, requests."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.quotas import PROJECT, QUOTAS
from gateway.store.questions import Fetching
from gateway.store.usage import allowances_of

LOOK_EVERY = 5.0
"""Seconds after which what an admin has set holds at the latest."""
LIVE = tuple(quota.name for quota in QUOTAS if not quota.counted)


class LiveQuotas:
    """The bounds of the quotas that are not counted in the store, as they stood there some seconds ago."""

    def __init__(self, defaults: Mapping[str, int]) -> None:
        self._defaults = defaults
        self._own: Mapping[tuple[str, str], int | None] = {}

    async def look(self, store: Fetching) -> None:
        """Read what was set for single projects."""
        self._own = await allowances_of(store, LIVE)

    def limit(self, project: str, quota: str) -> int | None:
        """Return how much a project may have of a quota; None without a bound."""
        key = (f"{PROJECT}/{project}", quota)
        return self._own[key] if key in self._own else self._defaults.get(quota)

    def jobs_at_once(self, project: str) -> int | None:
        """Return how many Jobs of a project work at the same time at most, at least one; None without a bound."""
        most = self.limit(project, "jobs_at_once")
        return max(1, most) if most is not None else None
