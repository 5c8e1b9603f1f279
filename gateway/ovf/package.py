"""A package taken apart as it comes: the descriptor first, then each file looked up, measured and summed.

Where the files go is the caller's (``Sink``): they are named by the descriptor's File, never by what an archive says.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from gateway.ovf import tar
from gateway.ovf.certificate import LARGEST as LARGEST_CERTIFICATE
from gateway.ovf.certificate import Certificate, read_certificate
from gateway.ovf.elements import LARGEST as LARGEST_DESCRIPTOR
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.inflating import inflated
from gateway.ovf.manifest import LARGEST as LARGEST_MANIFEST
from gateway.ovf.manifest import Sum, read_manifest
from gateway.ovf.model import Envelope, File
from gateway.ovf.reading import plain_name, read_envelope

BOTH = ("sha256", "sha1")
"""Sums made of what comes before the manifest, which says what they are compared with."""

Pieces = AsyncGenerator[bytes, None]
Opener = Callable[[str], Awaitable[Pieces | None]]
"""The bytes of a file by its name; None when there is none."""


class Sink(Protocol):
    """The place to which the content of Files goes."""

    async def described(self, envelope: Envelope) -> None:
        """Take the descriptor: the place to refuse it before anything else comes."""
        ...

    async def put(self, file: File, pieces: AsyncIterator[bytes], chunk: int, stands: tuple[int, int] | None) -> None:
        """Take bytes of the file, unpacked; those of chunks after the first (0) are to be put behind what came.

        ``stands`` are offset and size where all of them are in the archive just as they are; None else.
        """
        ...


class PackageReader(Protocol):
    """A reader of what a stranger wrote. All its methods raise PackageInvalid."""

    async def envelope(self, content: bytes) -> Envelope:
        """Return what a descriptor says."""

    async def sums(self, content: bytes) -> dict[str, Sum]:
        """Return the sums of a manifest by the names of their files."""

    async def certificate(self, content: bytes, manifest: bytes) -> Certificate:
        """Return the certificate of a ``.cert`` file, and whether its signature fits the manifest."""


class PlainReader:
    """A reader in threads of this process: for packages that are no stranger's, such as those of tests and tools."""

    async def envelope(self, content: bytes) -> Envelope:
        """Return what a descriptor says."""
        return await asyncio.to_thread(read_envelope, content)

    async def sums(self, content: bytes) -> dict[str, Sum]:
        """Return the sums of a manifest by the names of their files."""
        return await asyncio.to_thread(read_manifest, content)

    async def certificate(self, content: bytes, manifest: bytes) -> Certificate:
        """Return the certificate of a ``.cert`` file, and whether its signature fits the manifest."""
        return await asyncio.to_thread(read_certificate, content, manifest)


PLAIN = PlainReader()


@dataclass(frozen=True, slots=True)
class Package:
    """A package as it was read. ``verified``: a manifest was there, and all sums fit."""

    descriptor: bytes
    envelope: Envelope
    verified: bool
    certificate: Certificate | None


async def unpack(source: AsyncIterator[bytes], sink: Sink, largest: int, reader: PackageReader = PLAIN) -> Package:
    """Read an ``.ova`` front to back, and give its files to the sink.

    A file has at most ``largest`` bytes, unpacked too. Raises PackageInvalid.
    """
    opening: _Opening | None = None
    async for member in tar.members(source):
        if opening is None:
            opening = await _begun(member, sink, largest, reader)
        elif member.name == opening.beside("mf"):
            await opening.take_manifest(await _all(member.pieces(), member.name, LARGEST_MANIFEST))
        elif member.name == opening.beside("cert"):
            opening.certificate = await _all(member.pieces(), member.name, LARGEST_CERTIFICATE)
        else:
            await opening.take(member.name, member.pieces(), (member.offset, member.size))
    if opening is None:
        raise PackageInvalid("the archive is empty")
    return await opening.finish()


async def read_first(head: bytes) -> bytes | None:
    """Return the descriptor of an archive that begins with these bytes; None when it may end behind them.

    Raises PackageInvalid for what is no such archive.
    """

    async def beginning() -> AsyncIterator[bytes]:
        yield head

    async for member in tar.members(beginning()):
        if not member.name.lower().endswith(".ovf"):
            raise PackageInvalid("the first file of the archive is no descriptor (.ovf)")
        if member.size + 8 * tar.BLOCK > len(head):
            return None
        return await _all(member.pieces(), member.name, LARGEST_DESCRIPTOR)
    raise PackageInvalid("the archive is empty")


async def gather(name: str, open_file: Opener, sink: Sink, largest: int, reader: PackageReader = PLAIN) -> Package:
    """Read an ``.ovf`` of this name with the files beside it, and give these to the sink. Raises PackageInvalid."""
    opening = _Opening(name, sink, largest, reader)
    await opening.describe(await _whole(open_file, name, LARGEST_DESCRIPTOR) or b"")
    manifest = await _whole(open_file, opening.beside("mf"), LARGEST_MANIFEST)
    if manifest is not None:
        await opening.take_manifest(manifest)
    opening.certificate = await _whole(open_file, opening.beside("cert"), LARGEST_CERTIFICATE)
    for file in opening.envelope.files:
        for part in opening.names_of(file):
            pieces = await open_file(part)
            if pieces is None:
                break
            await opening.take(part, pieces)
        else:
            if file.chunk_size is not None:
                raise PackageInvalid(f"{file.href!r} has more than {tar.MOST_MEMBERS} chunks")
    return await opening.finish()


async def _begun(member: tar.Member, sink: Sink, largest: int, reader: PackageReader) -> _Opening:
    if not member.name.lower().endswith(".ovf"):
        raise PackageInvalid("the first file of the archive is no descriptor (.ovf)")
    opening = _Opening(member.name, sink, largest, reader)
    await opening.describe(await _all(member.pieces(), member.name, LARGEST_DESCRIPTOR))
    return opening


async def _whole(open_file: Opener, name: str, most: int) -> bytes | None:
    pieces = await open_file(name)
    return None if pieces is None else await _all(pieces, name, most)


async def _all(pieces: Pieces, name: str, most: int) -> bytes:
    content = bytearray()
    async with aclosing(pieces):
        async for piece in pieces:
            content += piece
            if len(content) > most:
                raise PackageInvalid(f"{name!r} has more than {most} bytes")
    return bytes(content)


class _Opening:
    """A package while it is read: what came of it, and what is still to come."""

    envelope: Envelope
    _files: dict[str, File]

    def __init__(self, name: str, sink: Sink, largest: int, reader: PackageReader) -> None:
        self._reader = reader
        self.certificate: bytes | None = None
        self._name = name
        self._sink = sink
        self._largest = largest
        self._descriptor = b""
        self._manifest: bytes | None = None
        self._expected: Mapping[str, Sum] = {}
        self._sums: dict[str, dict[str, str]] = {}
        self._sizes: dict[str, int] = {}
        """Bytes that came of each File, by its id."""
        self._chunks: dict[str, int] = {}

    def beside(self, suffix: str) -> str:
        """Return the name of the manifest or the certificate (clause 5.1)."""
        return f"{self._name.rpartition('.')[0]}.{suffix}"

    def names_of(self, file: File) -> Iterator[str]:
        """Return the names by which the bytes of a file come, in order."""
        if file.chunk_size is None:
            return iter((file.href,))
        return (f"{file.href}.{number:09d}" for number in range(tar.MOST_MEMBERS))

    async def describe(self, content: bytes) -> None:
        self._descriptor = content
        self.envelope = await self._reader.envelope(content)
        self._sums[self._name] = await asyncio.to_thread(_sums_of, content)
        self._files = _by_name(self.envelope.files)
        await self._sink.described(self.envelope)

    async def take_manifest(self, content: bytes) -> None:
        self._manifest, self._expected = content, await self._reader.sums(content)
        for name in self._sums:
            self._compare(name)

    async def take(self, name: str, pieces: Pieces, stands: tuple[int, int] | None = None) -> None:
        """Take a file of the package, or a chunk of one; ``stands``: offset and size of it in an archive."""
        file, chunk = self._file_named(name)
        as_it_is = stands if not file.gzip and file.chunk_size is None else None
        async with aclosing(self._watched(name, file, pieces)) as watched:
            content = inflated(watched, self._largest, name) if file.gzip else watched
            await self._sink.put(file, content, chunk, as_it_is)
        if file.chunk_size is None:
            self._check_size(file)

    def _file_named(self, name: str) -> tuple[File, int]:
        # A producer that calls the file itself my%20disk.vmdk means the same one.
        name = name if name in self._files else plain_name(name)
        file = self._files.get(name)
        if file is not None and file.chunk_size is None and file.id not in self._sizes:
            return file, 0
        file = self._files.get(name.rpartition(".")[0])
        next_chunk = self._chunks.get(file.id, 0) if file is not None else 0
        if file is not None and file.chunk_size is not None and name == f"{file.href}.{next_chunk:09d}":
            self._chunks[file.id] = next_chunk + 1
            return file, next_chunk
        raise PackageInvalid(f"the package holds {name[:80]!r}, which References do not name, or not at this place")

    def _check_size(self, file: File) -> None:
        came = self._sizes[file.id]
        if file.size is not None and came != file.size:
            raise PackageInvalid(f"{file.href!r} has {came} bytes where the descriptor says {file.size}")

    async def _watched(self, name: str, file: File, pieces: Pieces) -> Pieces:
        """Yield the same bytes, counted and summed beside the loop; then compare their sum with the manifest's."""
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in self._algorithms(name)}
        self._sizes.setdefault(file.id, 0)
        most = self._largest if file.size is None else min(file.size, self._largest)
        async with aclosing(pieces):
            async for piece in pieces:
                self._sizes[file.id] += len(piece)
                if self._sizes[file.id] > most:
                    raise PackageInvalid(f"{file.href!r} has more than {most} bytes, which is what it may have")
                if hashes:
                    await asyncio.to_thread(_update, hashes, piece)
                yield piece
        self._sums[name] = {algorithm: hashed.hexdigest() for algorithm, hashed in hashes.items()}
        self._compare(name)

    def _algorithms(self, name: str) -> tuple[str, ...]:
        if self._manifest is None:
            return BOTH
        return (self._expected[name].algorithm,) if name in self._expected else ()

    def _compare(self, name: str) -> None:
        expected = self._expected.get(name)
        if expected is not None and self._sums[name][expected.algorithm] != expected.digest:
            raise PackageInvalid(f"{name!r} has another {expected.algorithm.upper()} than the manifest says")

    async def finish(self) -> Package:
        for file in self.envelope.files:
            if file.id not in self._sizes:
                raise PackageInvalid(f"the package has no {file.href!r}, which References name")
            self._check_size(file)
        if self._manifest is not None:
            self._demand_complete_manifest()
        certificate = None
        if self.certificate is not None:
            certificate = await self._reader.certificate(self.certificate, self._manifest or b"")
        return Package(self._descriptor, self.envelope, self._manifest is not None, certificate)

    def _demand_complete_manifest(self) -> None:
        """Raise PackageInvalid unless the manifest speaks of every file, and of no other (clause 5.1)."""
        unsaid = next((name for name in self._sums if name not in self._expected), None)
        if unsaid is not None:
            raise PackageInvalid(f"the manifest does not say the sum of {unsaid!r}")
        stranger = next((name for name in self._expected if name not in self._sums), None)
        if stranger is not None:
            raise PackageInvalid(f"the manifest says the sum of {stranger[:80]!r}, which is not in the package")


def _by_name(files: Iterable[File]) -> dict[str, File]:
    """Return the files by the names that they, or their chunks but for the number, come by."""
    return {file.href: file for file in files}


def _sums_of(content: bytes) -> dict[str, str]:
    return {name: hashlib.new(name, content, usedforsecurity=False).hexdigest() for name in BOTH}


def _update(hashes: dict[str, hashlib._Hash], piece: bytes) -> None:
    for hashed in hashes.values():
        hashed.update(piece)
