"""Disks and networks of a package while it is described, each once."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from gateway.errors import Conflict
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.ovf.model import Content, Disk, Envelope, File, Network, VirtualSystemCollection
from gateway.ovf.names import STREAM_OPTIMIZED


@dataclass(frozen=True, kw_only=True)
class StoredDisk:
    """Bytes of a pool that are to go into a package."""

    host: str
    pool: str
    volume: str
    """Name in the pool."""
    format: str
    machine: str | None = None
    """Path of the Machine that has the disk."""
    target: str = ""
    """libvirt's name of the device in that Machine."""
    as_it_is: bool = False
    """Nobody writes the disk, and it stands on nothing else: it is read without a copy."""


@dataclass(frozen=True, kw_only=True)
class DiskToPack(StoredDisk):
    """Bytes of a pool that become a file of the package."""

    id: str
    """Id of the File."""
    file: str
    """Name of the File."""
    label: str
    """What words for people call the disk."""


@dataclass(slots=True)
class Described:
    """A package that is to be written. ``locks`` are resources that stay as they are until their bytes are copied."""

    envelope: Envelope
    disks: list[DiskToPack]
    locks: list[str]
    notes: list[str]
    """What has no place in the package, for people."""


@dataclass(slots=True)
class Parts:
    """Disks and networks of a package while it is described; each once."""

    name: str
    disks: list[DiskToPack] = field(default_factory=list)
    entries: list[Disk] = field(default_factory=list)
    networks: dict[str, Network] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    carried: set[str] = field(default_factory=set)
    """Paths of the components that have a place in the package."""
    identities: dict[str, str] = field(default_factory=dict)
    """What was seen already, to the id of its Disk."""

    def disk(self, key: str, capacity: int, name: str, source: StoredDisk | None, use: str = "") -> str:
        """Return the id of the Disk; an empty one without ``source``. ``capacity`` in kilobytes, as CIMI counts."""
        if key in self.identities:
            return self.identities[key]
        number = len(self.entries) + 1
        identity, file = f"disk{number}", f"file{number}"
        if source is not None:
            packed = f"{self.name}-disk{number}.vmdk"
            self.disks.append(DiskToPack(id=file, file=packed, label=name, **asdict(source)))
        held = file if source is not None else None
        made = str(whole(capacity * KILOBYTE))
        self.entries.append(
            Disk(identity, made, file=held, format=STREAM_OPTIMIZED, name=name, use=use, kilobytes=capacity)
        )
        self.identities[key] = identity
        return identity

    def network(self, path: str, name: str, description: str, kind: str) -> str:
        """Return the name in the package of the Network at a path."""
        if path not in self.networks:
            taken = {network.name for network in self.networks.values()}
            self.networks[path] = Network(unique(name, taken), description, kind)
        return self.networks[path].name

    def described(self, content: Content) -> Described:
        """Return what is to be written of all that was entered."""
        files = tuple(File(disk.id, disk.file) for disk in self.disks)
        envelope = Envelope(content, files, tuple(self.entries), tuple(self.networks.values()))
        return Described(envelope, self.disks, self.locks, self.notes)


def demand_some(content: VirtualSystemCollection) -> None:
    """Raise Conflict for what makes no package: one holds a virtual system at least (DSP0243 clause 7.2)."""
    if next(content.systems(), None) is None:
        raise Conflict("there is no Machine in it; a package needs one")


def unique(wanted: str, taken: set[str]) -> str:
    """Return the name, with a number where it is taken; it is taken then."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    taken.add(name)
    return name


def file_name(name: str) -> str:
    """Return the name with nothing in it that a file's must not have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "system"
