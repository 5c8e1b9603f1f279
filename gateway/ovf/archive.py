"""An ``.ova`` as a stream: the descriptor, the files, and at the end their sums (DSP0243 clause 5.3).

The manifest may stand last so that a package can be written while its sums are still being made: nothing but the
sizes of the files is known before.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass

from gateway.ovf.manifest import write_manifest
from gateway.ovf.tar import END, header_of, padding_of


@dataclass(frozen=True, slots=True)
class Part:
    """A file to be put in: its name, its exact size, and what reads it."""

    name: str
    size: int
    pieces: Callable[[], AsyncGenerator[bytes, None]]


async def archive(name: str, descriptor: bytes, parts: Iterable[Part], modified: int) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of ``name``.ova. ``modified`` is the time that all files get, in seconds since 1970.

    Raises OSError when a part gives more or fewer bytes than its size.
    """
    sums = [(f"{name}.ovf", hashlib.sha256(descriptor).hexdigest())]
    yield _file(f"{name}.ovf", descriptor, modified)
    for part in parts:
        yield header_of(part.name, part.size, modified)
        hashed, sent = hashlib.sha256(), 0
        async with aclosing(part.pieces()) as pieces:
            async for piece in pieces:
                sent += len(piece)
                if sent > part.size:
                    break
                await asyncio.to_thread(hashed.update, piece)
                yield piece
        if sent != part.size:
            raise OSError(f"{part.name} has another size than it had")
        yield padding_of(part.size)
        sums.append((part.name, hashed.hexdigest()))
    yield _file(f"{name}.mf", write_manifest(sums), modified) + END


def archive_size(name: str, descriptor: bytes, parts: Iterable[tuple[str, int]]) -> int:
    """Return the number of bytes that ``archive`` gives, without reading anything. ``parts`` are names and sizes."""
    named = list(parts)
    manifest = write_manifest((part, "0" * 64) for part in [f"{name}.ovf", *(part for part, _size in named)])
    files = [(f"{name}.ovf", len(descriptor)), *named, (f"{name}.mf", len(manifest))]
    return sum(len(header_of(part, size, 0)) + size + len(padding_of(size)) for part, size in files) + len(END)


def _file(name: str, content: bytes, modified: int) -> bytes:
    return header_of(name, len(content), modified) + content + padding_of(len(content))
