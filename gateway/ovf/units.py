"""Quantities with units: programmatic ones (DSP0004 annex C) and the words of older packages."""

from __future__ import annotations

from fractions import Fraction

from gateway.ovf.errors import PackageInvalid

WORDS = {
    "bytes": 1,
    "byte": 1,
    "kilobytes": 2**10,
    "kilobyte": 2**10,
    "kb": 2**10,
    "megabytes": 2**20,
    "megabyte": 2**20,
    "mb": 2**20,
    "gigabytes": 2**30,
    "gigabyte": 2**30,
    "gb": 2**30,
    "terabytes": 2**40,
    "terabyte": 2**40,
    "tb": 2**40,
}
"""Values of CIM's AllocationUnits before programmatic units, which DSP0004 means as powers of 2."""

MOST_STEPS = 32
LARGEST = 2**70


def bytes_of(quantity: str, units: str, where: str) -> int:
    """Return whole bytes, rounded up. Raises PackageInvalid, naming ``where``, for what is no such quantity."""
    number = quantity.strip()
    if not _is_number(number, 20):
        raise PackageInvalid(f"{where}: {quantity[:40]!r} is no whole number")
    size = int(number) * factor(units, where)
    if size >= LARGEST:
        raise PackageInvalid(f"{where}: {quantity[:20]} times {units[:40]!r} is more than anything has")
    return -(-size.numerator // size.denominator)


def factor(units: str, where: str) -> Fraction:
    """Return how many bytes one of these units is: ``byte * 2^20``, ``byte*1024*1024``, ``MegaBytes``.

    Raises PackageInvalid, naming ``where``, for what is no such unit.
    """
    text = units.strip().lower()
    if text in WORDS:
        return Fraction(WORDS[text])
    signs = text.replace("*", " * ").replace("/", " / ").replace("^", " ^ ").split(maxsplit=4 * MOST_STEPS + 1)
    result, position = Fraction(1), 1
    while position < len(signs):
        operator, operand, position = _step(signs, position, units, where)
        result = result * operand if operator == "*" else result / operand
        if not Fraction(1, LARGEST) < result < LARGEST:
            raise PackageInvalid(f"{where}: the unit is out of all bounds")
    if len(signs) < 3 or signs[0] not in ("byte", "bytes"):
        raise _unknown(units, where)
    return result


def _step(signs: list[str], position: int, units: str, where: str) -> tuple[str, Fraction, int]:
    """Return ``*`` or ``/``, what stands behind it (``2^20`` or ``1024``), and where the next step begins."""
    operator, base, *power = signs[position : position + 4] + [""] * max(0, position + 2 - len(signs))
    if power[:1] != ["^"]:
        if operator not in ("*", "/") or not _is_number(base, 18):
            raise _unknown(units, where)
        return operator, _operand(int(base), 1, where), position + 2
    exponent = power[1] if len(power) > 1 else ""
    if operator not in ("*", "/") or not _is_number(base, 10) or not _is_number(exponent.lstrip("+-"), 3):
        raise _unknown(units, where)
    if exponent.count("+") + exponent.count("-") > 1:
        raise _unknown(units, where)
    return operator, _operand(int(base), int(exponent), where), position + 4


def _operand(base: int, exponent: int, where: str) -> Fraction:
    if base == 0:
        raise PackageInvalid(f"{where}: a unit cannot have a factor of 0")
    if exponent != 1 and (abs(exponent) > 100 or base > 1024):
        raise PackageInvalid(f"{where}: a unit has no power of {exponent}")
    return Fraction(base) ** exponent


def _unknown(units: str, where: str) -> PackageInvalid:
    return PackageInvalid(f"{where}: the unit {units[:60]!r} is not known; such as 'byte * 2^20' are")


def _is_number(text: str, digits: int) -> bool:
    return 0 < len(text) <= digits and text.isascii() and text.isdecimal()
