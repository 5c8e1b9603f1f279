"""The places of those who read the live stream of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import TooManyRequests, Unavailable
from gateway.orchestration.common.contract import Role

AGAIN_AFTER = 30
"""Seconds after which a refused reader is to try again."""


class StreamPlaces:
    """The places of readers: ``most`` in all and ``most_per_user``, and one more for an admin who has none yet.

    ``of_project`` says how many all users of a project have together; None is without a bound.
    """

    def __init__(
        self, most: int, most_per_user: int, of_project: Callable[[str], int | None] = lambda _project: None
    ) -> None:
        self._most = most
        self._most_per_user = most_per_user
        self._of_project = of_project
        self._of: Counter[str] = Counter()
        self._projects: Counter[str] = Counter()

    @contextmanager
    def place(self, user: str, role: Role, project: str) -> Iterator[None]:
        """Keep a place for a reader. Raises TooManyRequests when the user or the project has all of theirs.

        Raises Unavailable when all are taken.
        """
        if self._of[user] >= self._most_per_user:
            reason = f"you read the event stream {self._most_per_user} times already; close one of them"
            raise TooManyRequests(reason, retry_after=AGAIN_AFTER)
        most = self._of_project(project)
        if most is not None and self._projects[project] >= most:
            reason = f"the quota event_streams of this project is full: {self._projects[project]} of {most} are used"
            raise TooManyRequests(reason, retry_after=AGAIN_AFTER)
        reserved = role is Role.ADMIN and not self._of[user]
        if self._of.total() >= self._most and not reserved:
            raise Unavailable(f"{self._most} readers are connected already; try again later", retry_after=AGAIN_AFTER)
        with _counted(self._of, user), _counted(self._projects, project):
            yield


@contextmanager
def _counted(counter: Counter[str], name: str) -> Iterator[None]:
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]
