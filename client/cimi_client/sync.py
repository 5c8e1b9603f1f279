"""The plain face of the client, for programs without asyncio. What changes something returns when that has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from cimi_client.client import NOTHING, PAGE, Client
from cimi_client.connection import Watcher
from cimi_client.documents import Resource
from cimi_client.jobs import Accepted, Job
from cimi_client.json_types import Document
from cimi_client.queries import EVERYTHING, Query
from cimi_client.servers import Server
from cimi_client.stream import Message, live
from cimi_client.transfers import Progress as Bytes
from cimi_client.transfers import download, ignore, upload

T = TypeVar("T")
E = TypeVar("E")
Progress = Callable[[Job], None]


class SyncClient:
    """A user at a provider, as ``Client``, of which each call blocks. Used as a context manager, in one thread."""

    def __init__(self, server: Server, watcher: Watcher | None = None) -> None:
        self.client = Client(server, watcher)
        self._runner = asyncio.Runner()
        self._open: list[AsyncGenerator[Any, None]] = []
        """What was begun to be read, and not to its end."""

    def __enter__(self) -> SyncClient:
        self.run(self.client.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._open:
                self.run(_closed(self._open.pop()))
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
        yield from self._each(self.client.items(collection, query, page))

    def live(self, after: str | None = None) -> Iterator[Message]:
        """Yield what happens from now on, or after an id, for ever. Raises NotOffered."""
        yield from self._each(live(self.client, after))

    def _each(self, items: AsyncGenerator[E, None]) -> Iterator[E]:
        async def following() -> E | None:
            return await anext(items, None)

        self._open.append(items)
        try:
            while (item := self.run(following())) is not None:
                yield item
        finally:
            if items in self._open:
                self._open.remove(items)
                self.run(_closed(items))

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

    def upload(self, image: Resource, path: Path, progress: Bytes = ignore) -> Resource:
        """Send a file to an image that waits for it, and return the image when it was looked at. Raises JobFailed."""

        async def sent() -> Resource:
            return await (await upload(self.client, image, path, progress))

        return self.run(sent())

    def download(self, resource: Resource, path: Path, progress: Bytes = ignore) -> None:
        """Write the bytes that a resource gives into a file. Raises NotOffered or Damaged."""
        self.run(download(self.client, resource, path, progress))

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


async def _closed(items: AsyncGenerator[E, None]) -> None:
    await items.aclose()


async def _followed(accepted: Accepted, progress: Progress | None) -> None:
    """Tell how far the Job is, to whom it may concern."""
    if progress is not None:
        async for job in accepted.follow():
            progress(job)
