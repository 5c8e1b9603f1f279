"""The places of the event stream's readers: so many of one user, so many in all, and an admin always one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import TooManyRequests, Unavailable
from gateway.orchestration.common.permissions import Role

AGAIN_AFTER = 30
"""Seconds after which a refused reader is to try again."""


class StreamPlaces:
    """The places of readers: ``most`` in all and ``most_per_user``, and one more for an admin who has none yet."""

    def __init__(self, most: int, most_per_user: int) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._of: Counter[str] = Counter()

    @contextmanager
    def place(self, user: str, role: Role) -> Iterator[None]:
        """Keep a place for a reader. Raises TooManyRequests when the user has all of theirs, Unavailable when all are
        taken."""
        if self._of[user] >= self._most_per_user:
            reason = f"you read the event stream {self._most_per_user} times already; close one of them"
            raise TooManyRequests(reason, retry_after=AGAIN_AFTER)
        reserved = role is Role.ADMIN and not self._of[user]
        if self._of.total() >= self._most and not reserved:
            raise Unavailable(f"{self._most} readers are connected already; try again later", retry_after=AGAIN_AFTER)
        self._of[user] += 1
        try:
            yield
        finally:
            self._of[user] -= 1
            if not self._of[user]:
                del self._of[user]
