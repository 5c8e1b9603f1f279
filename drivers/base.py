"""What any hypervisor driver offers, in the gateway's vocabulary.

Dataclasses in, dataclasses out, typed errors. Memory is in KiB, capacities in bytes, times in seconds. Every
call that changes something is idempotent: asking for what is already so succeeds, so that a step of a job can be
run again after a crash. "Already gone" is success for every removal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class DriverError(Exception):
    """The hypervisor refused or failed; the message is for people."""


class DriverNotFound(DriverError):
    """There is no such domain, pool, volume or network."""


class DriverConflict(DriverError):
    """The thing is in a state which does not allow this, or exists already as another thing."""


class DriverBusy(DriverError):
    """Somebody else works on it; trying again later makes sense."""


class DriverUnavailable(DriverError):
    """The hypervisor does not answer: connection down, frozen, or a call over its deadline."""


class DriverUnsupported(DriverError):
    """This hypervisor cannot do it."""


class DriverInvalid(DriverError):
    """What was asked is wrong in itself (an image that is no image, a size that cannot be)."""


class DriverNoSpace(DriverError):
    """The pool or the disk below it is full."""


class DriverFailed(DriverError):
    """Everything else; carries the hypervisor's own words."""


class Power(StrEnum):
    """A domain's state as the hypervisor tells it."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting down"
    OFF = "off"
    SAVED = "saved"
    """Off, with CPU and memory kept on disk (libvirt: managed save)."""
    CRASHED = "crashed"
    """Stopped by a fault: guest panic, QEMU killed, start or I/O failure. ``reason`` says which."""


class ConnectionState(StrEnum):
    DOWN = "down"
    CONNECTING = "connecting"
    RESYNCING = "resyncing"
    UP = "up"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the host has. ``domain_type`` is the one really used: ``kvm`` or ``qemu``."""

    cpus: int
    memory_kib: int
    cpu_mhz: int
    arches: tuple[str, ...]
    """libvirt's names: x86_64, aarch64..."""
    domain_type: str
    hypervisor_version: str
    uefi: bool
    """True when firmware for UEFI guests is installed."""


@dataclass(frozen=True, slots=True)
class DiskSpec:
    """A disk of a domain: a volume of a pool at a target. ``format`` is never probed."""

    pool: str
    volume: str
    format: str
    target: str
    """Device name with its bus: vda (virtio), sda (scsi or sata), hda."""
    read_only: bool = False
    cdrom: bool = False
    boot_order: int | None = None


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    mac: str
    network: str
    """Name of the libvirt network."""
    mtu: int | None = None
    link_up: bool = True


@dataclass(frozen=True, slots=True)
class DomainSpec:
    """A whole domain. The libvirt name is derived from ``uuid`` (``cimi-<uuid>``)."""

    uuid: str
    machine: str
    """CIMI path of the Machine (``machines/...``), kept in the domain's metadata, as are owner and title."""
    owner: str
    title: str
    description: str
    cpus: int
    memory_kib: int
    arch: str
    disks: tuple[DiskSpec, ...]
    interfaces: tuple[InterfaceSpec, ...]
    uefi: bool = False


@dataclass(frozen=True, slots=True)
class DiskFacts:
    target: str
    source: str
    format: str
    cdrom: bool


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    mac: str
    network: str
    link_up: bool
    mtu: int | None


@dataclass(frozen=True, slots=True)
class DomainFacts:
    """A domain as the hypervisor tells it. ``machine`` None marks a foreign domain (not made by a gateway)."""

    uuid: str
    name: str
    power: Power
    reason: str
    persistent: bool
    cpus: int
    memory_kib: int
    disks: tuple[DiskFacts, ...] = ()
    interfaces: tuple[InterfaceFacts, ...] = ()
    machine: str | None = None
    owner: str | None = None
    title: str = ""


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address which a guest has. ``source`` is lease, agent or arp; ``prefix`` the network's length."""

    mac: str
    ip: str
    prefix: int
    source: str
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """``path`` is the directory of a dir pool, None otherwise. Sizes in bytes."""

    name: str
    kind: str
    active: bool
    capacity: int
    available: int
    path: str | None


@dataclass(frozen=True, slots=True)
class VolumeFacts:
    """``capacity`` is what the guest sees, ``allocation`` what is taken; bytes."""

    pool: str
    name: str
    path: str
    format: str
    capacity: int
    allocation: int
    backing: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    name: str
    active: bool
    bridge: str | None
    forward: str
    """nat, route, open, bridge, or isolated."""
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """How far a change of cpus or memory came: at once, or only with the next boot."""

    live: bool
    message: str = ""


class EventKind(StrEnum):
    DOMAIN_CHANGED = "domain changed"
    """Look at the domain again: started, stopped, crashed, paused, redefined..."""
    DOMAIN_UNDEFINED = "domain undefined"
    CONNECTION = "connection"
    """The connection's state changed; after UP everything has to be compared anew."""


@dataclass(frozen=True, slots=True)
class DriverEvent:
    """``facts`` come with DOMAIN_CHANGED when they could be read, so that the listener need not ask."""

    hypervisor: str
    kind: EventKind
    uuid: str | None = None
    facts: DomainFacts | None = None
    state: ConnectionState | None = None
    detail: str = ""


Progress = Callable[[int, int], None]
"""Called with done and total bytes (or any unit); may be called from the event loop only."""

Listener = Callable[[DriverEvent], None]
"""Called on the asyncio loop; must not block."""


class Driver(Protocol):
    """One hypervisor. All coroutines run on the asyncio loop and never block it; all raise DriverError."""

    name: str

    @property
    def connection(self) -> ConnectionState: ...

    async def open(self) -> None:
        """Begin to connect and keep connected; returns once up, or after the first failure (then goes on)."""
        ...

    async def close(self) -> None: ...

    def subscribe(self, listener: Listener) -> None: ...

    async def host(self) -> HostFacts: ...

    # Domains: by UUID. A missing domain is DriverNotFound except where removal is asked.

    async def domains(self) -> tuple[DomainFacts, ...]:
        """All domains, foreign ones too, by bulk reads."""
        ...

    async def domain(self, uuid: str) -> DomainFacts: ...

    async def define_domain(self, spec: DomainSpec) -> None:
        """Make the domain, or bring an existing one of the same UUID to this definition."""
        ...

    async def describe_domain(self, uuid: str, title: str, description: str) -> None: ...

    async def undefine_domain(self, uuid: str) -> None:
        """Power off, and remove it with saved state, NVRAM, TPM, snapshots' and checkpoints' metadata."""
        ...

    async def start_domain(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        """Boot, or restore the saved state unless ``discard_saved``."""
        ...

    async def request_shutdown(self, uuid: str) -> None:
        """Press the ACPI power button; the guest may ignore it."""
        ...

    async def power_off(self, uuid: str) -> None:
        """At once, as by pulling the plug."""
        ...

    async def pause_domain(self, uuid: str) -> None: ...

    async def resume_domain(self, uuid: str) -> None: ...

    async def save_domain(self, uuid: str, progress: Progress) -> None:
        """Keep CPU and memory on disk and power off (managed save)."""
        ...

    async def cancel_save(self, uuid: str) -> None: ...

    async def discard_saved(self, uuid: str) -> None: ...

    async def resize_domain(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        """Set cpus and memory: live where possible, always for the next boot."""
        ...

    async def addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        """Leases first, then guest agent, then ARP; empty when nothing is known. A stuck guest never hangs it."""
        ...

    async def console_text(self, uuid: str, limit: int) -> bytes:
        """The last ``limit`` bytes which the guest wrote to its first serial port, over all its boots."""
        ...

    # Storage

    async def pools(self) -> tuple[PoolFacts, ...]: ...

    async def pool(self, name: str) -> PoolFacts: ...

    async def volume(self, pool: str, name: str) -> VolumeFacts: ...

    async def volumes(self, pool: str) -> tuple[VolumeFacts, ...]: ...

    async def create_volume(self, pool: str, name: str, format: str, capacity: int) -> VolumeFacts:
        """An empty volume of this capacity in bytes."""
        ...

    async def overlay_volume(
        self, pool: str, name: str, base: str, base_format: str, capacity: int
    ) -> VolumeFacts:
        """A qcow2 volume on top of ``base`` of the same pool and of this format, at least as large as it."""
        ...

    async def clone_volume(
        self, pool: str, name: str, base: str, format: str, capacity: int, progress: Progress
    ) -> VolumeFacts:
        """A full copy of ``base``, at least as large as it."""
        ...

    async def upload_volume(
        self, pool: str, name: str, format: str, size: int, data: AsyncIterator[bytes], progress: Progress
    ) -> VolumeFacts:
        """A volume of exactly these bytes, which are in this format. A half-made one is removed on any failure.

        When a volume of this name exists it is replaced.
        """
        ...

    async def delete_volume(self, pool: str, name: str) -> None: ...

    def can_overlay(self, pool: PoolFacts) -> bool:
        """Whether copy-on-write overlays work in this pool (a pool of files)."""
        ...

    # Networks

    async def networks(self) -> tuple[NetworkFacts, ...]: ...

    async def network(self, name: str) -> NetworkFacts: ...


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the cautious reader found in an image file. ``virtual_size`` and ``file_size`` in bytes."""

    format: str
    """raw, qcow2, vmdk, vdi, vpc or vhdx."""
    virtual_size: int
    file_size: int
    bootable: bool
    """Has a boot sector, a GPT or a qcow2's content that cannot be seen from outside (then True)."""
    uefi: bool = False
    """Has an EFI system partition and no BIOS boot code."""


class ImageReader(Protocol):
    """Looks at untrusted bytes without any other program; raises DriverInvalid with the reason."""

    async def inspect(self, path: Path) -> ImageFacts: ...


@dataclass(frozen=True, slots=True)
class HypervisorSettings:
    """One ``[[hypervisor]]`` of the configuration."""

    name: str
    uri: str
    pool: str
    network: str
    domain_type: str = "auto"
    options: dict[str, str] = field(default_factory=dict)
