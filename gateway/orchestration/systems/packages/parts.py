"""Disks and networks of a package while it is described, each once."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field

from gateway.errors import Conflict
from gateway.orchestration.volumes.pools import KILOBYTE, whole
from gateway.ovf.model import Content, Disk, Envelope, File, Network, VirtualSystemCollection
from gateway.ovf.names import STREAM_OPTIMIZED
from gateway.store.model import Document


@dataclass(frozen=True, slots=True)
class DiskToPack:
    """Bytes of a pool that become a file of the package. ``machine`` is the one that has it, ``target`` where."""

    id: str
    file: str
    label: str
    host: str
    pool: str
    volume: str
    format: str
    machine: str | None = None
    target: str = ""
    as_it_is: bool = False
    """Nobody writes it, and it stands on nothing else: it is read without a copy."""

    def document(self) -> Document:
        return asdict(self)


@dataclass(slots=True)
class Described:
    """``locks`` are resources that must stay as they are until their bytes are copied."""

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
    known: dict[str, str] = field(default_factory=dict)
    """What was seen already, to the id of its Disk."""

    def disk(self, key: str, capacity: int, name: str, source: Document | None, use: str = "") -> str:
        """Return the id of the Disk; an empty one without ``source``. ``capacity`` in kilobytes, as CIMI counts."""
        if key in self.known:
            return self.known[key]
        number = len(self.entries) + 1
        identity, file = f"disk{number}", f"file{number}"
        if source is not None:
            self.disks.append(DiskToPack(file, f"{self.name}-disk{number}.vmdk", name, **source))
        held = file if source is not None else None
        made = str(whole(capacity * KILOBYTE))
        self.entries.append(
            Disk(identity, made, file=held, format=STREAM_OPTIMIZED, name=name, use=use, kilobytes=capacity)
        )
        self.known[key] = identity
        return identity

    def network(self, path: str, name: str, description: str, kind: str) -> str:
        if path not in self.networks:
            taken = {network.name for network in self.networks.values()}
            self.networks[path] = Network(unique(name, taken), description, kind)
        return self.networks[path].name

    def described(self, content: Content) -> Described:
        files = tuple(File(disk.id, disk.file) for disk in self.disks)
        envelope = Envelope(content, files, tuple(self.entries), tuple(self.networks.values()))
        return Described(envelope, self.disks, self.locks, self.notes)


def demand_some(content: VirtualSystemCollection) -> None:
    """Raises Conflict for what makes no package: one holds a virtual system at least (DSP0243 clause 7.2)."""
    if next(content.systems(), None) is None:
        raise Conflict("there is no Machine in it; a package needs one")


def unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    taken.add(name)
    return name


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "system"
