"""A package as it is to be made, level by level: each collection with the guests and collections in it.

What each of them carries of CIMI is read once, and stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.orchestration.systems.packages.carrying import Carried, read_machine
from gateway.ovf.deployment import Group, Guest
from gateway.ovf.model import Content
from gateway.store.model import Document


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """A guest, with the MachineTemplate that it carries."""

    part: Guest
    own: Document


@dataclass(frozen=True, slots=True)
class Level:
    """A collection, or what stands for one around a guest that is a package alone."""

    part: Guest | Group
    carried: Carried
    """Components that the collection describes."""
    members: tuple[VirtualMachine | Level, ...]
    """What is directly in it, in the package's order."""

    @property
    def around(self) -> Group | None:
        """Return the collection; None around a guest that is a package alone."""
        return self.part if isinstance(self.part, Group) else None

    def machines(self) -> list[VirtualMachine]:
        """Return the guests that are directly in it."""
        return [member for member in self.members if isinstance(member, VirtualMachine)]

    def every(self) -> Iterator[Level]:
        """Yield this level, and all inside."""
        yield self
        for member in self.members:
            if isinstance(member, Level):
                yield from member.every()


def level_of(deployed: Guest | Group) -> Level:
    """Return the top of a package. Raises PackageInvalid for what it carries and no client could send."""
    if isinstance(deployed, Guest):
        return Level(deployed, Carried(), (_machine(deployed),))
    carried = Carried(deployed.collection.template, f"VirtualSystemCollection {deployed.collection.id[:60]!r}")
    members = tuple(_machine(part) if isinstance(part, Guest) else level_of(part) for part in deployed.parts)
    return Level(deployed, carried, members)


def _machine(guest: Guest) -> VirtualMachine:
    return VirtualMachine(guest, read_machine(guest.system.template, called(guest)))


def called(guest: Guest) -> str:
    """Return what words for people call a guest."""
    return f"VirtualSystem {guest.system.id[:60]!r}"


def content_of(part: Guest | Group) -> Content:
    """Return the part of the descriptor that a guest or a group is made of."""
    return part.system if isinstance(part, Guest) else part.collection
