"""An archive read front to back as its bytes come (POSIX ustar, DSP0243 clause 5.3), and written likewise.

Headers are tarfile's; what they may say is decided here: regular files inside of the package, each once.
"""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.reading import demand_inside

BLOCK = tarfile.BLOCKSIZE
PIECE = 1024 * 1024
MOST_MEMBERS = 4000
MOST_HEADERS = 4 * MOST_MEMBERS
"""Headers of all kinds in one archive: a file may have directories and extended headers before it."""
LONGEST_HEADER = 65_536
MOST_RECORDS = 256
"""Facts that one extended header may tell; usual ones tell up to ten."""
REGULAR = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})
REFUSED = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGLINK: "a link",
}


class Stream:
    """Bytes that come in pieces of any size, and are taken in pieces of the reader's choice."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self._source = source
        self._kept = memoryview(b"")
        self.position = 0
        """Bytes that were taken."""
        self.headers = 0
        """Headers that were read."""

    async def some(self, most: int) -> bytes:
        """Return 1 to ``most`` bytes; none at the end."""
        while not self._kept:
            piece = await anext(self._source, None)
            if piece is None:
                return b""
            self._kept = memoryview(piece)
        taken, self._kept = self._kept[:most], self._kept[most:]
        self.position += len(taken)
        return bytes(taken)

    async def exactly(self, length: int, what: str) -> bytes:
        """Return this many bytes. Raises PackageInvalid, naming ``what`` they are, when the stream ends before."""
        parts, missing = [], length
        while missing:
            part = await self.some(missing)
            if not part:
                raise PackageInvalid(f"the archive is cut off in {what}")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Header:
    """The name of a file in an archive, and its size in bytes."""

    name: str
    size: int


class Member:
    """A file of the archive. Bytes that nobody reads are passed over."""

    def __init__(self, header: Header, stream: Stream) -> None:
        self.name = header.name
        self.size = header.size
        self.offset = stream.position
        """Offset of its bytes in the archive."""
        self._stream = stream
        self._left = header.size

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes that were not read yet. Raises PackageInvalid when the archive ends before the file does."""
        while self._left:
            piece = await self._stream.some(min(self._left, PIECE))
            if not piece:
                raise PackageInvalid(f"the archive is cut off in {self.name[:80]!r}")
            self._left -= len(piece)
            yield piece

    async def finish(self) -> None:
        """Pass over what was not read of the file, and over the blanks behind it."""
        async for _piece in self.pieces():
            pass
        await self._stream.exactly(-self.size % BLOCK, f"{self.name[:80]!r}")


async def members(source: AsyncIterator[bytes]) -> AsyncIterator[Member]:
    """Yield the files in their order. Raises PackageInvalid at the first header that is broken or hostile."""
    stream, seen = Stream(source), set[str]()
    while (header := await _next_file(stream)) is not None:
        if header.name in seen:
            raise PackageInvalid(f"the archive has two files {header.name[:80]!r}")
        seen.add(header.name)
        if len(seen) > MOST_MEMBERS:
            raise PackageInvalid(f"the archive has more than {MOST_MEMBERS} files")
        member = Member(header, stream)
        yield member
        await member.finish()


async def _next_file(stream: Stream) -> Header | None:
    """Return the next regular file, with the extended headers before it read; None at the end."""
    extended: dict[str, str] = {}
    for _ in range(MOST_MEMBERS):
        block = await stream.exactly(BLOCK, "a header")
        if not any(block):
            return None
        await _count(stream)
        info = _parsed(block)
        if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE):
            records = _records(await _content(stream, info))
            _check_records(records, everywhere=info.type == tarfile.XGLTYPE)
            extended.update(records)
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            extended["path"] = (await _content(stream, info)).rstrip(b"\0").decode("utf-8", "surrogateescape")
        else:
            header = _header(info, extended)
            if header is not None:
                return header
            extended = {}
    raise PackageInvalid("the archive has nothing but headers")


async def _count(stream: Stream) -> None:
    """Let others have the event loop: many headers may be at hand at once. Raises PackageInvalid beyond all bounds."""
    stream.headers += 1
    if stream.headers > MOST_HEADERS:
        raise PackageInvalid(f"the archive has more than {MOST_HEADERS} headers")
    await asyncio.sleep(0)


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        raise PackageInvalid("it is no tar archive, or a broken one") from None


async def _content(stream: Stream, info: tarfile.TarInfo) -> bytes:
    if not 0 <= info.size <= LONGEST_HEADER:
        raise PackageInvalid("the archive has an extended header of absurd length")
    content = await stream.exactly(info.size, "an extended header")
    await stream.exactly(-info.size % BLOCK, "an extended header")
    return content


def _records(content: bytes) -> dict[str, str]:
    """Return the facts of an extended header.

    POSIX writes them as ``length key=value`` and a newline, the length counting itself.
    """
    records, position, number = {}, 0, 0
    while position < len(content):
        number += 1
        digits, blank, _rest = content[position : position + 8].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[position : position + length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not blank or not equals or not record.endswith(b"\n") or len(record) != length:
            raise PackageInvalid("the archive has a broken extended header")
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        position += length
        if number > MOST_RECORDS:
            raise PackageInvalid(f"the archive has an extended header of more than {MOST_RECORDS} records")
    return records


def _check_records(records: dict[str, str], *, everywhere: bool) -> None:
    if any(key.startswith("GNU.sparse") for key in records):
        raise PackageInvalid("the archive has a sparse file; only plain ones are taken")
    if everywhere and records.keys() & {"path", "size", "linkpath"}:
        raise PackageInvalid("the archive gives all its files one name or size")


def _header(info: tarfile.TarInfo, extended: dict[str, str]) -> Header | None:
    """Return the header of a file; None for a directory, which means nothing: a file brings its own."""
    name = extended.get("path", info.name)
    while name.startswith("./"):
        name = name[2:]
    if info.type == tarfile.DIRTYPE:
        if name.strip("./"):
            demand_inside(name, "a directory of the archive")
        if info.size:
            raise PackageInvalid("a directory of the archive has content")
        return None
    if info.type not in REGULAR:
        raise PackageInvalid(f"{name[:80]!r} in the archive is {REFUSED.get(info.type, 'of an unknown kind')}")
    demand_inside(name, "a file of the archive")
    text = extended.get("size", str(info.size))
    if not text.isdecimal() or len(text) > 18:
        raise PackageInvalid(f"{name[:80]!r} in the archive has no proper size")
    return Header(name, int(text))


# Writing


def header_of(name: str, size: int, modified: int) -> bytes:
    """Return the blocks before a file's content. Sizes beyond ustar's 8 GiB are written as GNU tar does."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, modified, 0o644
    return info.tobuf(tarfile.GNU_FORMAT if size >= 8**11 else tarfile.USTAR_FORMAT, "utf-8", "strict")


def padding_of(size: int) -> bytes:
    """Return the zeros behind a file of this many bytes, which fill its last block."""
    return bytes(-size % BLOCK)


END = bytes(2 * BLOCK)
