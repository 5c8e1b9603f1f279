"""Quantities with units: programmatic ones (DSP0004 annex C) and the words of older packages."""

from __future__ import annotations

import re
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

STEP = re.compile(r"\s*([*/])\s*(?:(\d{1,10})\s*\^\s*([+-]?\d{1,3})|(\d{1,18}))")
LARGEST = 2**70


def bytes_of(quantity: str, units: str, where: str) -> int:
    """Whole bytes, rounded up. Raises PackageInvalid, naming ``where``, for what is no such quantity."""
    if not re.fullmatch(r"\d{1,20}", quantity.strip()):
        raise PackageInvalid(f"{where}: {quantity[:40]!r} is no whole number")
    size = int(quantity) * factor(units, where)
    if size >= LARGEST:
        raise PackageInvalid(f"{where}: {quantity[:20]} times {units[:40]!r} is more than anything has")
    return -(-size.numerator // size.denominator)


def factor(units: str, where: str) -> Fraction:
    """How many bytes one of these units is: ``byte * 2^20``, ``byte*1024*1024``, ``MegaBytes``."""
    text = units.strip()
    known = WORDS.get(text.lower())
    if known is not None:
        return Fraction(known)
    base = re.match(r"bytes?(?=\s*[*/])", text, re.IGNORECASE)
    position, result = (base.end() if base else 0), Fraction(1)
    while base and position < len(text):
        step = STEP.match(text, position)
        if step is None:
            break
        result = _stepped(result, step, where)
        position = step.end()
    if base is None or position != len(text):
        raise PackageInvalid(f"{where}: the unit {units[:60]!r} is not known; such as 'byte * 2^20' are")
    return result


def _stepped(value: Fraction, step: re.Match[str], where: str) -> Fraction:
    sign, base, exponent, plain = step.groups()
    if int(plain if base is None else base) == 0:
        raise PackageInvalid(f"{where}: a unit cannot have a factor of 0")
    if base is not None and (abs(int(exponent)) > 100 or int(base) > 1024):
        raise PackageInvalid(f"{where}: a unit has no power of {exponent}")
    operand = Fraction(int(base)) ** int(exponent) if base is not None else Fraction(int(plain))
    result = value * operand if sign == "*" else value / operand
    if not Fraction(1, LARGEST) < result < LARGEST:
        raise PackageInvalid(f"{where}: the unit is out of all bounds")
    return result
