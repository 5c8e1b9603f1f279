"""Amounts as people write them: ``2GiB``, ``40GB``, ``512M``, and in which unit the standard has them."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil

import click

AMOUNT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([kKMGTP]?)(i?)([bB]?)", re.ASCII)
PREFIXES = ("", "k", "m", "g", "t", "p")
UNITS = {"memory": 1024, "capacity": 1000, "size": 1}
"""Attribute to the bytes of its unit (DSP0263 4.10): kibibytes of memory, kilobytes of disk."""


def amount(text: str, attribute: str) -> int:
    """Return an amount in the unit of an attribute. A number alone is in that unit already. Raises BadParameter.

    ``M`` and ``MB`` are decimal for disks, and binary for memory, as people mean them; ``MiB`` is binary always.
    """
    match = AMOUNT.fullmatch(text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no amount such as 2GiB or 40GB")
    number, prefix, binary, byte = match.groups()
    if not prefix and not byte:
        if "." in number:
            raise click.BadParameter(f"{text!r} needs a unit, such as GiB or GB")
        return int(number)
    base = 1024 if binary or attribute == "memory" else 1000
    factor: int = base ** PREFIXES.index(prefix.lower())
    return ceil(Fraction(number) * factor / UNITS[attribute])


def binary(value: int | None, unit: int) -> str:
    """Return an amount for people in binary units; empty without one."""
    return _scaled(value, unit, 1024, "iB")


def decimal(value: int | None, unit: int) -> str:
    """Return an amount for people in decimal units; empty without one."""
    return _scaled(value, unit, 1000, "B")


def _scaled(value: int | None, unit: int, base: int, suffix: str) -> str:
    if value is None:
        return ""
    number, place = float(value * unit), 0
    while number >= base and place < len(PREFIXES) - 1:
        number, place = number / base, place + 1
    letter = PREFIXES[place].upper() if base == 1024 else PREFIXES[place].replace("m", "M").upper()
    return f"{number:.4g} {letter}{suffix if place else 'B'}"


def memory(text: str) -> int:
    """Return an amount of memory in kibibytes, as an option takes it. Raises BadParameter."""
    return amount(text, "memory")


def capacity(text: str) -> int:
    """Return an amount of disk in kilobytes, as an option takes it. Raises BadParameter."""
    return amount(text, "capacity")
