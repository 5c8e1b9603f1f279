"""The store as services need it: to read, and to write in transactions. ``Store`` has all of it, and is opened.

Who only looks takes a ``Reading``. So a rehearsal's store, which shows more than is there, can stand there too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from gateway.store.model import Page, Query, Resource
from gateway.store.series import Series
from gateway.store.transaction import Transaction


class Reading(Protocol):
    """Resources, as the last commit left them."""

    def peek(self, path: str) -> Resource | None:
        """Return the resource when it is at hand without asking the disk; None says nothing."""
        ...

    async def get(self, path: str) -> Resource | None:
        """Return the resource at a path; None when there is none."""
        ...

    async def get_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        """Return those of the resources that are there, by path."""
        ...

    async def children(self, parent: str, kind: str | None = None) -> tuple[Resource, ...]:
        """Return the direct components of a resource, in the order of their creation."""
        ...

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        """Return the resources of this kind whose attribute is this, or refers to this path."""
        ...

    async def page(self, query: Query) -> Page:
        """Return a page of the answer to a question about one collection."""
        ...

    def every(self, kind: str) -> AsyncIterator[Resource]:
        """Yield all resources of a root collection."""
        ...

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a read."""
        ...


class Records(Reading, Protocol):
    """All that services work with: resources, what is only ever appended, and the transactions for changes."""

    async def series(self, series: Series, query: Query) -> Page:
        """Return a page of what is only ever appended."""
        ...

    async def entry(self, series: Series, owner: str, position: int) -> Resource | None:
        """Return an entry of what is only ever appended."""
        ...

    async def samples(self, query: Query) -> Page:
        """Return a page of the samples of the meter ``query.parent``."""
        ...

    async def sample(self, meter: str, time: int) -> Resource | None:
        """Return a sample of a meter."""
        ...

    def watch(self, watcher: Callable[[dict[str, Resource | None]], None], *kinds: str) -> None:
        """Call ``watcher`` with the changes of each commit, or of those that changed resources of some kinds."""
        ...

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction: all or nothing, one at a time."""
        ...
