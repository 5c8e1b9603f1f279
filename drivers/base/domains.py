"""Domains: what a Machine is made of on a hypervisor. Memory in KiB."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from drivers.base.networks import Traffic
from drivers.base.progress import Progress


class Power(StrEnum):
    """A domain's state as the hypervisor tells it."""

    RUNNING = "running"
    PAUSED = "paused"
    SHUTTING_DOWN = "shutting down"
    OFF = "off"
    SAVED = "saved"
    """Off, with CPU and memory kept on disk (libvirt: managed save)."""
    HELD = "held"
    """Paused by a fault (I/O error, full pool, watchdog), and can go on once that is mended. ``reason`` says which."""
    CRASHED = "crashed"
    """Stopped by a fault: guest panic, QEMU killed, failed start. ``reason`` says which."""


class Migration(StrEnum):
    """The part that a move from host to host has in a domain's state."""

    NONE = ""
    UNDERWAY = "underway"
    """Held by the hypervisor until the migration is over: on its target, and for the last moments on its source."""
    LEFT = "left"
    """Off, because its guest went on to another host; the definition stayed."""


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
    serial: str | None = None
    """The name by which the guest can find the disk (/dev/disk/by-id); virtio shows the first 20 characters."""
    shareable: bool = False
    """Several domains may write to it at once; it needs a raw volume."""
    operations: int | None = None
    """Reads and writes per second at most; None without a bound."""
    bandwidth: int | None = None
    """Kilobytes per second that are read and written at most; None without a bound."""


@dataclass(frozen=True, slots=True)
class InterfaceSpec:
    """A network interface of a domain, known by its MAC; ``mtu`` in bytes, None for the network's own."""

    mac: str
    network: str
    """Name of the libvirt network."""
    mtu: int | None = None
    link_up: bool = True
    traffic: Traffic | None = None
    filter: str | None = None
    """The packet filter which holds the guest to its own addresses, and more (drivers.base.filters)."""
    source: str | None = None
    """The IPv4 range or address that the guest may send from, in CIDR notation, for a filter that asks for it."""
    sources6: tuple[str, ...] = ()
    """The IPv6 addresses that it may send from, beside link-local ones, for a filter that asks for them."""
    fenced: tuple[str, ...] = ()
    """The ranges that the guest must not send to, for a filter that asks for them."""


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
    cpu_shares: int | None = None
    """Weight among the host's guests when CPUs are scarce; None for what each guest has."""


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A disk as the hypervisor tells it; ``source`` is the volume's path.

    It is ``plugged`` when a running guest has it now, and ``persistent`` when the next boot has it too.
    """

    target: str
    source: str
    format: str
    cdrom: bool
    plugged: bool = True
    persistent: bool = True


@dataclass(frozen=True, slots=True)
class InterfaceFacts:
    """An interface as the hypervisor tells it; ``mtu`` in bytes, None when its definition names none.

    It is ``plugged`` when a running guest has it now, and ``persistent`` when the next boot has it too.
    """

    mac: str
    network: str
    link_up: bool
    mtu: int | None
    plugged: bool = True
    persistent: bool = True


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
    migration: Migration = Migration.NONE


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """An address which a guest has. ``source`` is lease, agent or arp; ``prefix`` the network's length."""

    mac: str
    ip: str
    prefix: int
    source: str
    hostname: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The way that a change of cpus or memory took: ``live`` is False when it waits for the next boot.

    ``message`` says why it waits, in words for people.
    """

    live: bool
    message: str = ""


class DomainCalls(Protocol):
    """Domains by UUID, and what their guests tell. Memory in KiB.

    Every call that names a domain raises DriverNotFound when there is none of this UUID, except where removal is asked,
    and for its console.
    """

    async def list_all(self) -> tuple[DomainFacts, ...]:
        """Return all domains, foreign ones too, by bulk reads."""
        ...

    async def read(self, uuid: str) -> DomainFacts:
        """Return the domain as it is now."""
        ...

    async def define(self, spec: DomainSpec) -> None:
        """Make the domain, or bring an existing one of the same UUID to this definition.

        Its interfaces on the host's own networks get an address of their own each. Raises DriverNotFound when a volume
        or network is missing, and DriverConflict when a foreign guest has the MAC of an interface or no address is
        left.
        """
        ...

    async def make_persistent(self, uuid: str) -> None:
        """Define a running domain that would vanish when it stops, as it is now; one that is defined stays as it is."""
        ...

    async def describe(self, uuid: str, title: str, description: str) -> None:
        """Write title and description into the domain's definition, at once and for its next boots."""
        ...

    async def undefine(self, uuid: str) -> None:
        """Power the domain off, and remove it with all that belongs to it.

        That is saved state, NVRAM, TPM, the metadata of snapshots and checkpoints, the console's log, and leases.
        """
        ...

    async def start(self, uuid: str, *, paused: bool = False, discard_saved: bool = False) -> None:
        """Boot the domain, or restore its saved state unless ``discard_saved``; one that is active stays as it is."""
        ...

    async def request_shutdown(self, uuid: str) -> None:
        """Press the ACPI power button; the guest may ignore it. Raises DriverConflict when the domain is off."""
        ...

    async def power_off(self, uuid: str) -> None:
        """Stop the domain at once, as by pulling the plug."""
        ...

    async def pause(self, uuid: str) -> None:
        """Halt the guest's CPUs; its memory stays. Raises DriverConflict when the domain is off.

        Raises DriverBusy when the hypervisor itself holds the domain for too long, and would let it go on.
        """
        ...

    async def resume(self, uuid: str) -> None:
        """Let a paused guest go on; nothing happens to one that is not paused."""
        ...

    async def save(self, uuid: str, progress: Progress) -> None:
        """Keep the domain's CPU and memory on disk and power it off (libvirt: managed save); ``progress`` in bytes."""
        ...

    async def cancel_save(self, uuid: str) -> None:
        """Break off a save that is at work; none at work, or no such domain, is no error."""
        ...

    async def discard_saved(self, uuid: str) -> None:
        """Remove the domain's saved state, so that it boots at its next start; none saved is no error."""
        ...

    async def resize(self, uuid: str, cpus: int, memory_kib: int) -> Applied:
        """Set the domain's cpus and memory in KiB: live where possible, always for the next boot."""
        ...

    async def interface_addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        """Return the guest's addresses: leases first, then the guest agent's, then ARP's; empty when none is known.

        A guest whose agent is stuck holds no other call up.
        """
        ...

    async def console_text(self, uuid: str, limit: int) -> bytes:
        """Return the last ``limit`` bytes which the guest wrote to its first serial port, over all its boots.

        They stay when a domain vanishes; where nothing is left, and where there is no such domain, they are empty.
        """
        ...
