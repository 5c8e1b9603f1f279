"""Where a package comes from, an archive or a descriptor with files beside it, by URL, by file, or as it was sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from drivers.base import DriverAbsent, DriverInvalid, DriverUnreachable, RemoteFile
from drivers.images.window import FileWindow
from gateway.errors import BadGateway, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.image_tools import ImageTools
from gateway.orchestration.images.pieces import ahead, of_file
from gateway.orchestration.images.source import is_url, local_file
from gateway.ovf.package import Package, PackageReader, Pieces, Sink, gather, unpack

WHERE = "source"
HEAD = 256 * 1024
"""Bytes that are looked at before a Job is made: most descriptors lie within."""
Source = dict[str, Any]
"""What a plan keeps of it: ``kind`` (url, file, upload), ``place``, and whether it is a bare ``descriptor``."""


class Sources:
    """The places that packages come from, as far as this user may read them."""

    def __init__(self, tools: ImageTools, caller: Caller, reader: PackageReader | None = None) -> None:
        self._tools = tools
        self._caller = caller
        self._reader = reader or tools.packages

    async def look(self, location: str) -> tuple[Source, bytes]:
        """The source, and its first bytes. Raises what the request deserves, naming ``source``."""
        if is_url(location):
            head = (await self._remote(location, HEAD)).head
            return {"kind": "url", "place": location, "descriptor": is_descriptor(head)}, head
        path = await asyncio.to_thread(local_file, self._tools, self._caller, location, WHERE)
        return await self.look_at_file(path, "file")

    async def look_at_file(self, path: Path, kind: str) -> tuple[Source, bytes]:
        try:
            head = await asyncio.to_thread(_head, path)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        source = {"kind": kind, "place": str(path), "descriptor": is_descriptor(head)}
        return {**source, **({"upload": path.parent.name.removeprefix("uploads-")} if kind == "upload" else {})}, head

    @staticmethod
    def archive(source: Source) -> Path | None:
        """The archive when it is on this host, and can be read again as it is."""
        return None if source["kind"] == "url" or source["descriptor"] else Path(source["place"])

    async def read(self, source: Source, sink: Sink) -> Package:
        """Everything, into the sink. Raises PackageInvalid, Invalid, BadGateway."""
        try:
            if not source["descriptor"]:
                async with aclosing(ahead(await self._pieces(source["kind"], source["place"]))) as pieces:
                    return await unpack(pieces, sink, self._tools.largest_file, self._reader)
            name = PurePosixPath(urlsplit(source["place"]).path if source["kind"] == "url" else source["place"]).name

            async def open_file(wanted: str) -> Pieces | None:
                return await self._beside(source, wanted, name)

            return await gather(name, open_file, sink, self._tools.largest_file, self._reader)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error

    async def _beside(self, source: Source, wanted: str, own: str) -> Pieces | None:
        """A file next to the descriptor; what there is not is None."""
        place: str = source["place"]
        if source["kind"] == "url":
            url = place if wanted == own else urljoin(place, quote(wanted))
            try:
                return self._tools.fetcher.fetch(url, await self._tools.fetcher.look(url, 1, 1))
            except DriverAbsent:
                return None
        path = Path(place).parent / wanted
        if not await asyncio.to_thread(path.exists):
            return None
        found = await asyncio.to_thread(local_file, self._tools, self._caller, str(path), WHERE)
        return of_file(found)

    async def _pieces(self, kind: str, place: str) -> AsyncGenerator[bytes, None]:
        if kind != "url":
            return of_file(Path(place))
        remote = await self._remote(place, 1)
        return self._tools.fetcher.fetch(place, remote)

    async def _remote(self, url: str, head: int) -> RemoteFile:
        try:
            return await self._tools.fetcher.look(url, head, 1)
        except DriverInvalid as error:
            raise Invalid(str(error), WHERE) from error
        except DriverUnreachable as error:
            raise BadGateway(f"{WHERE}: {error}") from error


def is_descriptor(head: bytes) -> bool:
    """XML and no archive."""
    return head[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _head(path: Path) -> bytes:
    window = FileWindow(path)
    try:
        return window.head(HEAD)
    finally:
        window.close()
