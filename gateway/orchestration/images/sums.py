"""Files of checksums, as distributions write them: which sum the bytes of a file must have."""

from __future__ import annotations

from string import hexdigits

KINDS = {64: "sha256", 128: "sha512"}
"""The sums that are taken, by their hexadecimal digits; older kinds prove nothing any more."""
LARGEST = 1024 * 1024
"""Bytes of a file of checksums."""


def sum_of(text: str, name: str, *, alone: bool = False) -> str | None:
    """Return the SHA-512 or else SHA-256 of a file of this name, in hexadecimal; None where none stands there.

    The lines are those of sha256sum (``SUM  NAME``, ``SUM *NAME``) or of BSD (``SHA256 (NAME) = SUM``). ``alone``: the
    sums are of this file only, so that a sum without a name, or with that which the file had elsewhere, is its own.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    sums = [one for line in lines if (one := _sum_in(line, name)) is not None]
    if not sums and alone and len(lines) == 1:
        return _checked(lines[0].partition(" ")[0])
    return max(sums, key=len, default=None)


def _sum_in(line: str, name: str) -> str | None:
    before, equals, after = line.rpartition(" = ")
    if equals:
        return _checked(after) if before.endswith(f" ({name})") else None
    first, _, rest = line.partition(" ")
    return _checked(first) if rest.lstrip(" *") in (name, f"./{name}") else None


def _checked(text: str) -> str | None:
    """Return a sum in small letters; None for what is none."""
    return text.lower() if len(text) in KINDS and all(digit in hexdigits for digit in text) else None
