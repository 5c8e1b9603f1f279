"""The sums of a package's files (DSP0243 clause 5.1, ``.mf``)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid

ALGORITHMS = {"SHA1": "sha1", "SHA256": "sha256"}
HEX = frozenset("0123456789abcdefABCDEF")
LARGEST = 1024**2


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of a file: ``algorithm`` as hashlib calls it, ``digest`` in lower-case hex."""

    algorithm: str
    digest: str


def read_manifest(content: bytes) -> dict[str, Sum]:
    """Return the sums by the names of their files.

    Both spellings are read, ``SHA256(a)= 12`` and ``SHA256 (a) = 12``. Raises PackageInvalid for a line that is no
    sum.
    """
    if len(content) > LARGEST:
        raise PackageInvalid(f"the manifest has more than {LARGEST} bytes")
    sums: dict[str, Sum] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if not line.strip():
            continue
        entry = _sum(line)
        if entry is None:
            raise PackageInvalid(f"line {number} of the manifest is no sum: {line[:60]!r}")
        algorithm, name, digest = entry
        if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size * 2:
            raise PackageInvalid(f"line {number} of the manifest has a sum of the wrong length")
        if sums.setdefault(name, Sum(algorithm, digest)) != Sum(algorithm, digest):
            raise PackageInvalid(f"the manifest has two sums for {name[:80]!r}")
    return sums


def _sum(line: str) -> tuple[str, str, str] | None:
    """Return algorithm, name and digest of a line; None when it is no sum. A name may hold brackets and ``=``."""
    left, equals, digest = line.strip().rpartition("=")
    algorithm, bracket, name = left.rstrip().partition("(")
    hash_name, digest = ALGORITHMS.get(algorithm.rstrip()), digest.lstrip()
    if not equals or not bracket or hash_name is None or not name.endswith(")") or len(name) < 2:
        return None
    return (hash_name, name[:-1].strip(), digest.lower()) if digest and HEX.issuperset(digest) else None


def write_manifest(sums: Iterable[tuple[str, str]]) -> bytes:
    """Return a manifest of names with their SHA-256 in hex."""
    return "".join(f"SHA256({name})= {digest}\n" for name, digest in sums).encode()
