"""The facts kept of a MachineVolume beside its document: where the Volume is in the Machine, and on the host."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept


@dataclass(frozen=True)
class KeptAttachment(Kept):
    """Facts of a MachineVolume."""

    host: str
    pool: str
    volume: str
    """Name of the Volume's storage in the pool."""
    format: str
    target: str
    """libvirt's name of the device in the Machine."""
    shareable: bool = False
    """Several Machines may have the Volume at once."""
    releasing: bool = False
    """The guest was asked to let the disk go, and has not yet."""
