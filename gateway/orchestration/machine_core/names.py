"""The names of a Machine's domain and of its own volumes on the host."""

from __future__ import annotations

from gateway.orchestration.machine_core.facts import OwnDisk
from gateway.store.model import Resource


def machine_uuid(machine: Resource) -> str:
    """Return the UUID of the Machine's domain, which is the Machine's id."""
    return machine.path.rpartition("/")[2]


def disk_prefix(machine: Resource) -> str:
    """Return what the names of the Machine's own volumes begin with."""
    return f"cimi-{machine_uuid(machine)}-"


def disk_volume(machine: Resource, target: str, format: str) -> str:
    """Return the name of the volume that a disk at this target is made with."""
    return f"{disk_prefix(machine)}{target}.{format}"


def volume_of(machine: Resource, disk: OwnDisk) -> str:
    """Return the name of a disk's volume; a boot disk that was made anew has another one than the first."""
    return disk.volume or disk_volume(machine, disk.target, disk.format)


def seed_volume(machine: Resource) -> str:
    """Return the name of the volume with the Machine's seed."""
    return f"{disk_prefix(machine)}seed.iso"
