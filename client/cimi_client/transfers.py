"""Bytes of images and packages (provider extensions), in pieces: what was sent or had before a break is not again."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from cimi_client.client import Client
from cimi_client.connection import Answer, Request, small
from cimi_client.documents import Resource
from cimi_client.errors import AnswerLost, CimiError, Conflict, Damaged, NotFound, ServerAway
from cimi_client.jobs import Creation

PIECE = 128 * 1024 * 1024
"""Bytes of one request of an upload, each with a digest of its own."""
CHUNK = 1024 * 1024
BYTES = "application/octet-stream"
MOST_STANDSTILLS = 5
"""Attempts in a row after which a transfer that does not go on is given up."""
Progress = Callable[[int, int], None]
"""It is told of the bytes that are over, and of all."""


def ignore(_done: int, _total: int) -> None:
    """Tell nobody."""


# Up


@dataclass(frozen=True)
class _Source:
    """A file that is sent; ``stamp`` is its size and time as they were at the beginning."""

    path: Path
    size: int
    stamp: int

    @classmethod
    def of(cls, path: Path) -> _Source:
        status = path.stat()
        return cls(path, status.st_size, status.st_mtime_ns)

    def digest(self, start: int, end: int) -> str:
        """Return the SHA-256 of a part, in Base64. Raises CimiError when the file has changed."""
        if self != _Source.of(self.path):
            raise CimiError(f"{self.path} has changed while it was sent")
        summed = hashlib.sha256()
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(CHUNK, end - start))):
                summed.update(chunk)
                start += len(chunk)
        return base64.b64encode(summed.digest()).decode()

    async def chunks(self, start: int, end: int, progress: Progress) -> AsyncGenerator[bytes, None]:
        """Yield a part, and tell how far the whole is."""
        file = await asyncio.to_thread(self.path.open, "rb")
        with file:
            file.seek(start)
            while start < end and (chunk := await asyncio.to_thread(file.read, min(CHUNK, end - start))):
                yield chunk
                start += len(chunk)
                progress(start, self.size)


async def upload(
    client: Client, image: Resource, path: Path, progress: Progress = ignore, piece: int = PIECE
) -> Creation:
    """Send a file to an image that waits for it, and go on where an earlier attempt broke off.

    Awaiting what this returns waits until the provider has looked at the image. Raises NotOffered, OSError, or
    CimiError when the file changes meanwhile.
    """
    source = await asyncio.to_thread(_Source.of, path)
    if source.size == 0:
        raise CimiError(f"{path} is empty")
    sending = _Upload(client, image, source, progress, piece)
    return await sending.run()


@dataclass
class _Upload:
    """An upload on its way; ``offset`` is how many bytes the provider has."""

    client: Client
    image: Resource
    source: _Source
    progress: Progress
    piece: int
    offset: int = 0
    standstills: int = 0

    async def run(self) -> Creation:
        href = self.client.operation(self.image, "upload")
        self.offset = await self._offset(href) or 0
        summing = self._summing(self.offset)
        while True:
            start, end = self.offset, min(self.offset + self.piece, self.source.size)
            digest = await summing
            summing = self._summing(end)
            try:
                answer = await self._send(href, start, end, digest)
                self.standstills = 0
                if end >= self.source.size:
                    summing.cancel()
                    return self.client.accepted(Creation, _located(answer, self.image), self.image.id)
                self.offset = end
            except (ServerAway, Conflict) as error:
                await self._stand_still(error)
                offset = await self._offset(href)
                if offset is None:
                    return self.client.accepted(Creation, await self._last_answer(), self.image.id)
                self.offset = offset
                summing.cancel()
                summing = self._summing(offset)

    def _summing(self, start: int) -> asyncio.Task[str]:
        """Return the digest of the next piece, which is made while the one before it is sent."""
        end = min(start + self.piece, self.source.size)
        return asyncio.create_task(asyncio.to_thread(self.source.digest, start, end))

    async def _send(self, href: str, start: int, end: int, digest: str) -> Answer:
        headers = {
            "Content-Type": BYTES,
            "Content-Length": str(end - start),
            "Content-Range": f"bytes {start}-{end - 1}/{self.source.size}",
            "Content-Digest": f"sha-256=:{digest}:",
        }
        async with aclosing(self.source.chunks(start, end, self.progress)) as body:
            request = Request("PUT", href, body, headers)
            async with self.client.connection.stream(request) as response:
                return Answer(response.status, small(response.headers), await response.read(), href)

    async def _offset(self, href: str) -> int | None:
        """Return how many bytes the provider has; None when it has them all, and waits for none any more."""
        try:
            answer = await self.client.connection.send(Request("HEAD", href))
        except (Conflict, NotFound):
            image = await self.client.get(self.image.id)
            if "upload" in image.operations:
                raise
            return None
        return int(answer.headers.get("upload-offset", "0"))

    async def _last_answer(self) -> Answer:
        """Return the image as the answer to the last piece, which was lost."""
        answer = await self.client.connection.send(Request("GET", self.image.id))
        status = 202 if Resource(answer.document()).in_transit else 200
        return _located(Answer(status, answer.headers, answer.body, answer.url), self.image)

    async def _stand_still(self, error: CimiError) -> None:
        """Wait a moment. Raises the error when nothing has gone over for too many attempts."""
        self.standstills += 1
        if self.standstills > MOST_STANDSTILLS:
            raise error
        await asyncio.sleep(0.1 * 2**self.standstills)


def _located(answer: Answer, image: Resource) -> Answer:
    return Answer(answer.status, {"location": image.id, **answer.headers}, answer.body, answer.url)


# Down


async def download(
    client: Client, resource: Resource, path: Path, progress: Progress = ignore, verb: str = "download"
) -> None:
    """Write the bytes that a resource gives into a file, and go on where an earlier attempt broke off.

    What has come so far is in ``NAME.part`` beside it. Raises NotOffered, Damaged or OSError.
    """
    href = client.operation(resource, verb)
    taking = _Download(client, href, path, progress)
    await taking.run()
    wanted = resource.text("sha256").lower()
    if wanted and resource.number("size") == taking.size and taking.sum != wanted:
        taking.discard()
        raise Damaged(f"{href}: the bytes have the SHA-256 {taking.sum}, and not {wanted}")
    taking.finish()


class _Download:
    """A download on its way into ``NAME.part``; ``NAME.part.etag`` says of which version."""

    def __init__(self, client: Client, href: str, path: Path, progress: Progress) -> None:
        self._client = client
        self._href = href
        self._path = path
        self._progress = progress
        self._part = path.with_name(path.name + ".part")
        self._tag = path.with_name(path.name + ".part.etag")
        self._summed = hashlib.sha256()
        self._standstills = 0
        self.size = 0
        """Bytes that are here."""

    @property
    def sum(self) -> str:
        """The SHA-256 of what is here."""
        return self._summed.hexdigest()

    async def run(self) -> None:
        """Take all bytes."""
        await asyncio.to_thread(self._take_up)
        while True:
            before = self.size
            try:
                await self._take()
                return
            except ServerAway as error:
                self._standstills = 0 if self.size > before else self._standstills + 1
                if self._standstills > MOST_STANDSTILLS:
                    raise error from None
                await asyncio.sleep(0.2 * 2**self._standstills)

    def finish(self) -> None:
        """Give the file its name."""
        os.replace(self._part, self._path)  # noqa: PTH105 - the same, and atomic
        self._tag.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what has come."""
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def _take_up(self) -> None:
        """Go on with what an earlier attempt has left, of a version that is known."""
        if not self._part.exists() or not self._tag.exists():
            self._forget()
            return
        with self._part.open("rb") as file:
            while chunk := file.read(CHUNK):
                self._summed.update(chunk)
                self.size += len(chunk)

    def _forget(self) -> None:
        self._summed, self.size = hashlib.sha256(), 0
        self._part.write_bytes(b"")

    async def _take(self) -> None:
        """Take what one answer brings."""
        headers = {"Accept": f"{BYTES}, */*"}
        if self.size and self._tag.exists():
            headers |= {"Range": f"bytes={self.size}-", "If-Range": self._tag.read_text()}
        async with self._client.connection.stream(Request("GET", self._href, headers=headers)) as response:
            answered = small(response.headers)
            if response.status != 206:
                await asyncio.to_thread(self._forget)
            elif not answered.get("content-range", "").startswith(f"bytes {self.size}-"):
                raise Damaged(f"{self._href}: asked for bytes from {self.size}, got {answered.get('content-range')}")
            self._remember(answered.get("etag"))
            total = self.size + (response.content_length or 0)
            with self._part.open("ab") as file:
                async for chunk in response.content.iter_chunked(CHUNK):
                    await asyncio.to_thread(self._keep, file, chunk)
                    self._progress(self.size, max(total, self.size))
            if response.content_length is not None and self.size < total:
                raise AnswerLost(f"{self._href}: {self.size} of {total} bytes came")

    def _keep(self, file: IO[bytes], chunk: bytes) -> None:
        file.write(chunk)
        self._summed.update(chunk)
        self.size += len(chunk)

    def _remember(self, tag: str | None) -> None:
        """Note the version, without which nobody can go on later."""
        if tag is None or tag.startswith("W/"):
            self._tag.unlink(missing_ok=True)
        else:
            self._tag.write_text(tag)


# Packages


async def send_file(client: Client, href: str, path: Path, media: str, progress: Progress = ignore) -> Creation:
    """Send a whole file in one request, as an OVF package is imported. Awaiting what this returns waits for its end."""
    source = await asyncio.to_thread(_Source.of, path)
    headers = {"Content-Type": media, "Content-Length": str(source.size)}
    async with (
        aclosing(source.chunks(0, source.size, progress)) as body,
        client.connection.stream(Request("POST", href, body, headers)) as response,
    ):
        answer = Answer(response.status, small(response.headers), await response.read(), href)
    return client.accepted(Creation, answer, href)
