"""Readers of archives, manifests, certificates and gzip files, each with the input that costs it most."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator

from gateway.ovf import tar
from gateway.ovf.certificate import read_certificate
from gateway.ovf.inflating import inflated
from gateway.ovf.manifest import read_manifest
from gateway.ovf.model import Envelope
from gateway.ovf.package import unpack
from tests import hostile_files as hostile
from tests.unit.costs.reader import Reader
from tests.unit.ovf.samples import ova


async def _source(content: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(content), 1024**2):
        yield content[start : start + 1024**2]


class _Nowhere:
    """A Sink that keeps nothing."""

    async def described(self, envelope: Envelope) -> None:
        """It does not matter."""

    async def put(self, file: object, pieces: AsyncIterator[bytes], chunk: int, stands: object) -> None:
        async for _piece in pieces:
            pass


def _members(content: bytes) -> None:
    async def all_of_it() -> None:
        async for _member in tar.members(_source(content)):
            pass

    asyncio.run(all_of_it())


def _inflated(content: bytes) -> None:
    async def all_of_it() -> None:
        async for _piece in inflated(_source(content), 10**9, "f"):
            pass

    asyncio.run(all_of_it())


def _package(content: bytes) -> None:
    asyncio.run(unpack(_source(content), _Nowhere(), 10**9))


def _members_of_package(number: int) -> bytes:
    files = "".join(f'<File ovf:id="f{index}" ovf:href="h{index}"/>' for index in range(number))
    text = hostile.described().replace(b"</References>", files.encode() + b"</References>")
    return ova(("p.ovf", text), ("disk", b"x"), *((f"h{index}", b"x") for index in range(number)))


TAR = ("gateway.ovf.tar",)
PACKAGES = (
    Reader("tar of records", TAR, lambda n: hostile.pax(200, n), _members, 4000),
    Reader("tar of one long header", TAR, lambda n: hostile.pax(n, 1), _members, 8000),
    Reader("tar of directories", TAR, hostile.directories, _members, 16_000),
    Reader("tar of files", TAR, lambda n: ova(*((f"f{i}", b"x") for i in range(n))), _members, 4000),
    Reader("package of files", ("gateway.ovf.package",), _members_of_package, _package, 900),
    Reader("gzip", ("gateway.ovf.inflating",), lambda n: gzip.compress(b"x" * 40 * n), _inflated, 2**22),
    Reader("gzip of members", ("gateway.ovf.inflating",), lambda n: gzip.compress(b"") * n, _inflated, 2**18),
    Reader("manifest of brackets", ("gateway.ovf.manifest",), hostile.manifest_of_brackets, read_manifest, 10**6),
    Reader("manifest of blanks", ("gateway.ovf.manifest",), lambda n: b"SHA1(a)" + b" " * n, read_manifest, 10**6),
    Reader("manifest of lines", ("gateway.ovf.manifest",), lambda n: b"SHA1(a)=" + b"\n" * n, read_manifest, 10**6),
    Reader(
        "manifest of sums", ("gateway.ovf.manifest",),
        lambda n: b"".join(b"SHA1(%d)= %040d\n" % (one, 0) for one in range(n)), read_manifest, 20_000,
    ),
    Reader(
        "certificate of lines", ("gateway.ovf.certificate", "gateway.ovf.certificate_lines"),
        hostile.certificate_of_lines, lambda content: read_certificate(content, b""), 65_000,
    ),
    Reader(
        "certificate of beginnings", ("gateway.ovf.certificate_lines",),
        hostile.certificate_of_beginnings, lambda content: read_certificate(content, b""), 2300,
    ),
)  # fmt: skip
