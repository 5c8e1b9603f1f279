"""The facts kept of Machines and snapshots beside their documents: where they are, and what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from drivers.base import DiskSpec
from gateway.store.durable import Kept, Secret, keyed


@dataclass(frozen=True)
class OwnDisk:
    """A disk that belongs to the Machine and goes with it; the first one is booted from."""

    target: str
    """libvirt's name of the device: ``vda``."""
    format: str
    """``qcow2`` or ``raw``."""
    bytes: int
    capacity: int
    """Kilobytes, as the Disk shows them."""
    location: str | None = None
    """``initialLocation`` as the client wrote it."""
    volume: str | None = None
    """Name of the volume in the pool, where it is another one than the target says: a boot disk that was made anew."""
    image: str | None = None
    """Path of the VolumeImage whose content a further disk has; None for an empty one, and for the boot disk."""
    image_pool: str | None = None
    image_volume: str | None = None
    image_format: str | None = None
    overlay: bool = False
    """The disk lies over the image's volume, and is no copy of it."""


@dataclass(frozen=True)
class InterfaceEntry:
    """The facts of one of the Machine's network interfaces that the hypervisor needs."""

    mac: str
    network: str
    """libvirt's name of the network."""
    network_path: str
    """Path of the Network."""
    id: str | None = None
    """The end of the interface's path; None in entries of gateways before 0.1, whose place in the list is their id."""
    mtu: int | None = None
    up: bool = True
    """The interface is to be Active."""
    link: bool | None = None
    """The cable is in: the interface is Active and its port STARTED. None: as ``up`` says."""
    filter: str | None = None
    """libvirt's packet filter that holds the guest to its addresses; None where none can stand."""
    source: str | None = None
    """Range that the guest may send from."""
    port: str | None = None
    """Path of the NetworkPort that it uses."""
    service: str | None = keyed("class", default=None)
    """classOfService of that port."""
    bandwidth: int | None = None
    """Kilobytes per second each way at most, where no class of a port says it."""


@dataclass(frozen=True)
class GuestLimits:
    """The bounds of what a guest takes of its host, as its configuration had them; None where it had none."""

    cpu_shares: int | None = None
    disk_operations: int | None = None
    """Per second of each disk."""
    disk_bandwidth: int | None = None
    """Kilobytes per second of each disk."""
    network_bandwidth: int | None = None
    """Kilobytes per second of each interface, each way."""

    def of_disk(self, spec: DiskSpec) -> DiskSpec:
        """Return the disk with the bounds of this guest."""
        return replace(spec, operations=self.disk_operations, bandwidth=self.disk_bandwidth)


@dataclass(frozen=True)
class KeptSeed:
    """The parts of the NoCloud seed. The secrets are dropped when the Machine is made."""

    user: str | None = None
    password_hash: Secret | None = None
    keys: tuple[str, ...] = ()
    """SSH keys."""
    user_data: Secret | None = None
    """The user data in Base64."""
    environment: Secret | bool | None = None
    """OVF environment of a package's guest; True once it was told and is needed no more."""


@dataclass(frozen=True)
class KeptMachine(Kept):
    """Facts of a Machine."""

    host: str
    """Name of the hypervisor that its domain is on."""
    pool: str = "default"
    """Storage pool of its own disks."""
    image: str | None = None
    """Path of the MachineImage that the boot disk was made of."""
    image_volume: str | None = None
    image_format: str | None = None
    overlay: bool = False
    """The boot disk lies over the image's volume, and is no copy of it."""
    next_image: str | None = None
    """Path of the image that the boot disk is being made anew of."""
    disks: tuple[OwnDisk, ...] = ()
    interfaces: tuple[InterfaceEntry, ...] = ()
    volumes: dict[str, str] = field(default_factory=dict)
    """Device name to the path of the MachineVolume that has it."""
    arch: str = "x86_64"
    """libvirt's name of the processor's architecture."""
    uefi: bool = False
    """The guest boots by UEFI."""
    least_memory: int | None = None
    """KiB that the image needs; None where it was made before that was kept."""
    initial_state: str = "STARTED"
    seed: KeptSeed = KeptSeed()
    limits: GuestLimits = GuestLimits()
    state_before: str | None = None
    """State from before the action of the Job that holds the Machine."""
    left_hosts: tuple[str, ...] = ()
    """Hosts that the domain was on before it was moved outside."""
    gone: bool = False
    """The domain is nowhere."""


@dataclass(frozen=True)
class Covered:
    """The devices that a snapshot holds of a domain, to be compared before the Machine goes back to it."""

    disks: dict[str, str] = field(default_factory=dict)
    """Device name to the disk's file or volume."""
    interfaces: tuple[str, ...] = ()
    """MAC addresses, in order."""


@dataclass(frozen=True)
class KeptSnapshot(Kept):
    """Facts of an image that is a snapshot of a Machine."""

    host: str
    machine: str | None = None
    """Path of the Machine."""
    memory: bool = False
    """The snapshot holds the guest's memory, too."""
    covered: Covered = Covered()
