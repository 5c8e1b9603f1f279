"""The facts of a Volume beside its document: where it lies, what it begins with and which Machines have it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.orchestration.images.facts import Filling
from gateway.store.durable import Kept


@dataclass(frozen=True)
class KeptVolume(Filling):
    """Facts of a Volume. Facts of ``Filling`` beside the place and the format are those of an image by value."""

    bytes: int = 0
    """Size that the pool has to keep for it."""
    path: str | None = None
    """What the host calls the storage: a file or a device; None until it is made."""
    shareable: bool = False
    """Several Machines may have the Volume at once."""
    attachments: dict[str, str] = field(default_factory=dict)
    """Path of each MachineVolume to the path of its Machine."""
    foreign: bool = False
    """An admin made the storage beside the gateway."""
    file_system: str | None = None
    """Kind of the empty file system that the Volume begins with."""
    unformatted: str | None = None
    """Why the file system that was wished for is not made, for people."""
    image: str | None = None
    """Path of the VolumeImage whose content the Volume begins with."""
    image_pool: str = ""
    image_volume: str = ""
    """Name of the image in its pool."""
    image_format: str = ""
    overlay: bool = False
    """The Volume lies over the image's volume, and is no copy of it."""


@dataclass(frozen=True)
class Connection(Kept):
    """The fact of a MachineVolume that its Volume needs to know."""

    target: str
    """libvirt's name of the device in the Machine."""
