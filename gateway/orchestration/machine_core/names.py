"""The names of a Machine's domain and of its own volumes on the host, and of its devices in the guest.

The name of a device says where a disk shows up (DSP0263 5.14.1.4).
"""

from __future__ import annotations

import itertools
import re
import string
from collections.abc import Collection, Iterator

from gateway.errors import Conflict, Invalid
from gateway.orchestration.machine_core.facts import KeptMachine, OwnDisk
from gateway.store.model import Resource

WHERE = "initialLocation"
SEED = "sda"
"""The CD with name, credential and user data."""
_LOCATION = re.compile(r"(?:/dev/)?(vd|sd|hd|xvd)([a-z]{1,2})")
_COLD = "hd"
"""Disks of a SATA controller cannot come and go while the guest runs."""


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


# Device names


def target_of(location: str, where: str = WHERE) -> str:
    """Return libvirt's name for the device that a location means. Raises Invalid."""
    match = _LOCATION.fullmatch(location.strip())
    if match is None:
        raise Invalid(f"{location[:60]!r} is no device name; give one as /dev/vdb or /dev/sdb", where)
    bus = match.group(1)
    return f"{'vd' if bus == 'xvd' else bus}{match.group(2)}"


def free_target(taken: Collection[str], location: str | None, *, running: bool, where: str = WHERE) -> str:
    """Return the target of the requested location; without one, the next free target. Raises Invalid or Conflict."""
    if location is None:
        free = next((name for name in _names("vd") if name not in taken), None)
        if free is None:
            raise Conflict(f"{where}: the Machine has as many disks as there are device names")
        return free
    target = target_of(location, where)
    if target in taken:
        raise Conflict(f"{where}: {location} is taken by another disk of the Machine; leave it out, or take another")
    if running and target.startswith(_COLD):
        raise Conflict(f"{where}: {location} needs a stopped Machine; a running one takes /dev/vd* and /dev/sd*")
    return target


def _names(bus: str) -> Iterator[str]:
    letters = string.ascii_lowercase
    yield from (bus + letter for letter in letters)
    yield from (bus + first + second for first, second in itertools.product(letters, letters))


def reserved(machine: Resource) -> set[str]:
    """Return the targets that the Machine's own disks, its seed and its Volumes have."""
    kept = KeptMachine.of(machine)
    return {SEED, *(disk.target for disk in kept.disks), *kept.volumes}
