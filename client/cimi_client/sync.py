"""The plain face of the client, for programs without asyncio. What changes something returns when that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from types import TracebackType
from typing import TypeVar

from cimi_client.client import NOTHING, PAGE, Client
from cimi_client.connection import Watcher
from cimi_client.documents import Resource
from cimi_client.jobs import Accepted, Job
from cimi_client.json_types import Document
from cimi_client.queries import EVERYTHING, Query
from cimi_client.servers import Server

T = TypeVar("T")
Progress = Callable[[Job], None]


class SyncClient:
    """A user at a provider, as ``Client``, of which each call blocks. Used as a context manager, in one thread."""

    def __init__(self, server: Server, watcher: Watcher | None = None) -> None:
        self.client = Client(server, watcher)
        self._runner = asyncio.Runner()

    def __enter__(self) -> SyncClient:
        self.run(self.client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.run(self.client.__aexit__(kind, error, trace))
        finally:
            self._runner.close()

    def run(self, work: Coroutine[object, object, T]) -> T:
        """Return what a coroutine of the asynchronous client gives."""
        return self._runner.run(work)

    def entry_point(self) -> Resource:
        """Return the Cloud Entry Point."""
        return self.run(self.client.entry_point())

    def get(self, reference: str, query: Query = EVERYTHING) -> Resource:
        """Return a resource by its URL."""
        return self.run(self.client.get(reference, query))

    def items(self, collection: str, query: Query = EVERYTHING, page: int = PAGE) -> Iterator[Resource]:
        """Yield the items of a collection; a page is read when its first item is wanted."""
        items = self.client.items(collection, query, page)

        async def following() -> Resource | None:
            return await anext(items, None)

        while (item := self.run(following())) is not None:
            yield item

    def find(self, collection: str, name: str) -> Resource:
        """Return the resource of a collection with this name, id or URL. Raises NotFound, or Ambiguous."""
        return self.run(self.client.find(collection, name))

    def create(self, collection: str, document: Document, progress: Progress | None = None) -> Resource:
        """Make a resource, and return it when it is finished. Raises JobFailed."""

        async def made() -> Resource:
            creation = await self.client.create(collection, document)
            await _followed(creation, progress)
            return await creation

        return self.run(made())

    def act(
        self, resource: Resource, verb: str, parameters: Document = NOTHING, progress: Progress | None = None
    ) -> Job | None:
        """Do an action, and return its ended Job. Raises NotOffered or JobFailed."""

        async def done() -> Job | None:
            change = await self.client.act(resource, verb, parameters)
            await _followed(change, progress)
            return await change

        return self.run(done())

    def edit(self, resource: Resource, changes: Document, progress: Progress | None = None) -> Job | None:
        """Change some attributes, and return the ended Job. Raises Conflict or JobFailed."""

        async def done() -> Job | None:
            change = await self.client.edit(resource, changes)
            await _followed(change, progress)
            return await change

        return self.run(done())

    def delete(self, resource: Resource, progress: Progress | None = None) -> Job | None:
        """Delete a resource, and return the ended Job. Raises NotOffered or JobFailed."""

        async def done() -> Job | None:
            change = await self.client.delete(resource)
            await _followed(change, progress)
            return await change

        return self.run(done())


async def _followed(accepted: Accepted, progress: Progress | None) -> None:
    """Tell how far the Job is, to whom it may concern."""
    if progress is not None:
        async for job in accepted.follow():
            progress(job)
