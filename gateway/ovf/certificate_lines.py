"""The two parts of a ``.cert`` file (DSP0243 clause 5.1), found line by line: the signature, and the certificate."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid

LARGEST = 64 * 1024
"""Bytes of a certificate file; usual ones have about two thousand."""
BEGIN, END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
ALGORITHMS = frozenset({b"SHA1", b"SHA256"})
HEX = frozenset(b"0123456789abcdefABCDEF")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature such as ``SHA256(name.mf)= 12ab``: the algorithm's name, and the bytes."""

    algorithm: str
    signature: bytes


def signature_in(content: bytes) -> Signature | None:
    """Return the first signature of a certificate file; None without one."""
    return next((signature for signature in map(_signature, content.splitlines()) if signature is not None), None)


def _signature(line: bytes) -> Signature | None:
    """Return what a line says; None when it is no signature."""
    left, equals, right = line.partition(b"=")
    algorithm, bracket, name = left.partition(b"(")
    digits, named = right.strip(), name.rstrip()
    if not equals or not bracket or algorithm.strip() not in ALGORITHMS or not named.endswith(b")") or len(named) < 2:
        return None
    if not digits or len(digits) % 2 or not HEX.issuperset(digits):
        return None
    return Signature(algorithm.strip().decode(), bytes.fromhex(digits.decode()))


def certificate_in(content: bytes) -> bytes:
    """Return the first certificate as PEM. Raises PackageInvalid when there is none, or too much."""
    if len(content) > LARGEST:
        raise PackageInvalid(f"the certificate file has more than {LARGEST} bytes")
    _before, begin, rest = content.partition(BEGIN)
    inside, end, _after = rest.partition(END)
    if not begin or not end:
        raise PackageInvalid("the certificate file holds no certificate")
    return begin + inside + end
