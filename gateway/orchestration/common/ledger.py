"""The bytes that Volumes have taken of their pools, as last seen: what a pool has given is no promise any more."""

from __future__ import annotations

from collections.abc import Mapping

PoolKey = tuple[str, str]
"""The names of a host and of a pool on it."""


class Ledger:
    """The bytes that each Volume of a pool has taken, by the pool and by the name of the Volume's storage in it."""

    def __init__(self) -> None:
        self._taken: dict[PoolKey, dict[str, int]] = {}

    def enter(self, pool: PoolKey, volume: str, size: int) -> None:
        """Write down how many bytes one Volume has taken of its pool."""
        self._taken.setdefault(pool, {})[volume] = size

    def renew(self, pool: PoolKey, sizes: Mapping[str, int]) -> None:
        """Write down how many bytes each Volume has taken of a pool, in place of all that was written of that pool."""
        self._taken[pool] = dict(sizes)

    def strike(self, pool: PoolKey, volume: str) -> None:
        """Forget what one Volume has taken of its pool; a Volume that is not written down is no error."""
        self._taken.get(pool, {}).pop(volume, None)

    def taken(self, pool: PoolKey) -> int:
        """Return how many bytes all Volumes have taken of a pool."""
        return sum(self._taken.get(pool, {}).values())
