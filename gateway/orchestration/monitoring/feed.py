"""The feed that clients may follow live: every event in order, what becomes of Jobs, and the lines of their logs.

Events have the positions of the log of everything, so a reader who was away goes on where it stopped. Jobs are told
as they are now: of several changes between two deliveries the last one counts. Lines come before the change of their
Job that was committed with them; who was away reads them in the Job's log.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from gateway.cimi.filter import AttributeType, Comparison
from gateway.orchestration.monitoring.occurrences import EVERYONE, EVERYTHING
from gateway.store.events import KeptEvent
from gateway.store.job_log import JobLine
from gateway.store.model import Query, Resource
from gateway.store.questions.events import events_between, newest_position, oldest_position
from gateway.store.store import Changes, Store

PAGE = 500
MOST_RUNNING = 200


@dataclass(frozen=True, slots=True)
class Item:
    """An event, a Job or a line of a Job's log to tell readers of.

    ``position`` is an event's; None for the others. ``audience`` is as in the store.
    """

    resource: Resource
    audience: str | None
    position: int | None = None

    def for_project(self, project: str | None) -> bool:
        """Return whether who acts in the project may see it; ``project`` None is an admin, who sees everything."""
        return project is None or self.audience in (project, EVERYONE)


class Feed:
    """The live feed of events and Jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._takers: list[Callable[[list[Item]], None]] = []
        self.head = 0
        """Position of the newest event."""
        store.listen(self._happened)
        store.watch(self._changed, "Job")
        self._has_lines = False

    async def open(self) -> None:
        """Learn the position of the newest event."""
        self.head = await newest_position(self._store, EVERYTHING)

    def take(self, taker: Callable[[list[Item]], None]) -> None:
        """Call ``taker`` on the loop, after each commit, with what there is to tell. It must not block."""
        self._takers.append(taker)

    def follow_lines(self) -> None:
        """Tell of the lines of Jobs' logs, too, from now on: nothing is made of them before somebody reads them."""
        if not self._has_lines:
            self._store.read_lines(self._written)
        self._has_lines = True

    def _happened(self, events: list[KeptEvent]) -> None:
        items = [Item(event.resource, event.audience, event.position) for event in events if event.log == EVERYTHING]
        if items:
            self.head = items[-1].position or self.head
            self._tell(items)

    def _changed(self, changes: Changes) -> None:
        jobs = [job for path, job in changes.items() if path.startswith("jobs/") and job is not None]
        if jobs:
            self._tell([Item(job, _audience(job.project)) for job in jobs])

    def _written(self, lines: list[JobLine]) -> None:
        self._tell([Item(line.as_resource(), _audience(line.project)) for line in lines])

    def _tell(self, items: list[Item]) -> None:
        for taker in self._takers:
            taker(items)

    # Events and Jobs that a reader missed

    async def oldest(self) -> int:
        """Return the position of the oldest event that is kept; one past the newest when none is."""
        oldest = await oldest_position(self._store, EVERYTHING)
        return oldest if oldest is not None else self.head + 1

    async def between(self, project: str | None, after: int, until: int) -> AsyncIterator[Item]:
        """Yield the kept events after one position and up to another which the project may see, in order.

        ``project`` None sees all.
        """
        while True:
            events = await events_between(self._store, EVERYTHING, (after, until), project, PAGE)
            for position, audience, event in events:
                yield Item(event, audience, position)
                after = position
            if len(events) < PAGE:
                return

    async def running(self, project: str | None) -> list[Item]:
        """Return the Jobs which have not ended and that the project may see, MOST_RUNNING of each state at most."""
        states = [Comparison("state", "=", state, AttributeType.STRING) for state in ("QUEUED", "RUNNING", "STOPPING")]
        pages = [
            await self._store.page(Query("Job", visible_to=project, filters=(state,), last=MOST_RUNNING))
            for state in states
        ]
        return [Item(job, _audience(job.project)) for page in pages for job in page.items]


def _audience(project: str | None) -> str | None:
    """Return the project that may see a Job; None, admins alone, for what the gateway made by itself."""
    return project or None
