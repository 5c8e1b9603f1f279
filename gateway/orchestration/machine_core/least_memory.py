"""The memory that a Machine needs at least: with less its guest is killed, or never starts (DSP0263 5.14.4).

Clients of 1.x that take ``memory`` for MiB or GiB would shrink a running guest to a few KiB.
"""

from __future__ import annotations

from gateway.errors import Invalid
from gateway.store.model import Resource

PROPERTY = "leastMemory"
"""Property of a MachineImage: KiB that its guests need, in place of the configuration's."""
LONGEST_NUMBER = 12


def least_memory(configured: int, image: Resource | None) -> int:
    """Return the KiB that a Machine of an image needs: as the image's property says, else as configured.

    Raises Invalid for a property that is no number.
    """
    text = (image.document.get("properties") or {}).get(PROPERTY) if image is not None else None
    if text is None:
        return configured
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= LONGEST_NUMBER):
        raise Invalid(f"the image's property {PROPERTY} is {text[:40]!r}; it is a number of KiB", "machineImage")
    return int(digits)


def demand_memory(memory: int, least: int, where: str) -> None:
    """Raise Invalid, naming the attribute and its unit, for less than a Machine needs. ``memory`` is in KiB."""
    if memory < least:
        raise Invalid(
            f"{memory} KiB is less than the {least} KiB ({least / 1024:g} MiB) that a Machine needs at least; memory "
            "is a number of KiB (kibibytes): 1 GiB is 1048576",
            where,
        )
