"""The source of a package, an archive or a descriptor with files beside it, by URL, by file, or as it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urljoin, urlsplit

from drivers.base import DriverAbsent, DriverInvalid, DriverUnreachable, RemoteFile
from drivers.images.window import FileWindow
from gateway.errors import BadGateway, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.room import ImageTools
from gateway.orchestration.images.pieces import ahead, of_file
from gateway.orchestration.images.source import is_url, local_file, without_query
from gateway.ovf.package import Package, PackageReader, Pieces, Sink, gather, unpack
from gateway.store.durable import Secret, readable

WHERE = "source"
HEAD = 256 * 1024
"""Bytes that are looked at before a Job is made: most descriptors lie within."""


class SourceKind(StrEnum):
    """A kind of place that a package comes from."""

    URL = "url"
    FILE = "file"
    UPLOAD = "upload"


@dataclass(frozen=True)
class PackageSource:
    """The place that a package comes from, as a plan keeps it."""

    kind: SourceKind
    place: Secret
    """The URL or the path."""
    descriptor: bool = False
    """The package is a bare descriptor, with its files beside it."""
    upload: str | None = None
    """Id of the upload, by which the staging directory knows that its folder is needed."""

    @property
    def location(self) -> str:
        """Return the URL or the path. Raises Conflict when the store could not open it."""
        return readable(self.place, "the package's source")

    @property
    def path(self) -> Path:
        """Return the path of what is on this host."""
        return Path(self.location)

    @property
    def archive(self) -> Path | None:
        """Return the archive when it is on this host, and can be read again as it is."""
        return None if self.kind is SourceKind.URL or self.descriptor else self.path

    @property
    def file_name(self) -> str:
        """Return the last part of the URL or the path."""
        return PurePosixPath(urlsplit(self.location).path if self.kind is SourceKind.URL else self.location).name

    def description(self) -> str:
        """Return what people may read of the source."""
        if self.kind is SourceKind.UPLOAD:
            return "upload"
        return without_query(self.location) if self.kind is SourceKind.URL else f"file://{without_query(self.location)}"


class Sources:
    """The places that packages come from, as far as this user may read them."""

    def __init__(self, tools: ImageTools, caller: Caller, reader: PackageReader | None = None) -> None:
        self._tools = tools
        self._caller = caller
        self._reader = reader or tools.packages

    async def look(self, location: str) -> tuple[PackageSource, bytes]:
        """Return the source, and its first bytes. Raises what the request deserves, naming ``source``."""
        if is_url(location):
            head = (await self._remote(location, HEAD)).head
            return PackageSource(SourceKind.URL, location, is_descriptor(head)), head
        path = await asyncio.to_thread(local_file, self._tools, self._caller, location, WHERE)
        return await self._look_at_file(path, SourceKind.FILE)

    async def look_at_upload(self, path: Path) -> tuple[PackageSource, bytes]:
        """Return the source that a package is which was sent, and its first bytes."""
        return await self._look_at_file(path, SourceKind.UPLOAD, path.parent.name.removeprefix("uploads-"))

    async def _look_at_file(
        self, path: Path, kind: SourceKind, upload: str | None = None
    ) -> tuple[PackageSource, bytes]:
        try:
            head = await asyncio.to_thread(_head, path)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        return PackageSource(kind, str(path), is_descriptor(head), upload), head

    async def read(self, source: PackageSource, sink: Sink) -> Package:
        """Read everything into the sink. Raises PackageInvalid, Invalid, BadGateway."""
        try:
            if not source.descriptor:
                async with aclosing(ahead(await self._pieces(source))) as pieces:
                    return await unpack(pieces, sink, self._tools.largest_file, self._reader)

            async def open_file(wanted: str) -> Pieces | None:
                return await self._beside(source, wanted)

            return await gather(source.file_name, open_file, sink, self._tools.largest_file, self._reader)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error

    async def _beside(self, source: PackageSource, wanted: str) -> Pieces | None:
        """Return the pieces of a file next to the descriptor; None when it is not there."""
        if source.kind is SourceKind.URL:
            url = source.location if wanted == source.file_name else urljoin(source.location, quote(wanted))
            try:
                return self._tools.fetcher.fetch(url, await self._tools.fetcher.look(url, 1, 1))
            except DriverAbsent:
                return None
        path = source.path.parent / wanted
        if not await asyncio.to_thread(path.exists):
            return None
        real = await asyncio.to_thread(local_file, self._tools, self._caller, str(path), WHERE)
        return of_file(real)

    async def _pieces(self, source: PackageSource) -> AsyncGenerator[bytes, None]:
        if source.kind is not SourceKind.URL:
            return of_file(source.path)
        remote = await self._remote(source.location, 1)
        return self._tools.fetcher.fetch(source.location, remote)

    async def _remote(self, url: str, head: int) -> RemoteFile:
        try:
            return await self._tools.fetcher.look(url, head, 1)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error


def is_descriptor(head: bytes) -> bool:
    """Return whether these are the first bytes of XML, and of no archive."""
    return head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _head(path: Path) -> bytes:
    window = FileWindow(path)
    try:
        return window.head(HEAD)
    finally:
        window.close()
