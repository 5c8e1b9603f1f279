"""Counters and sizes of all guests of a host, read at once: in bytes, KiB of memory, and seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivers.base.domains import Power


@dataclass(frozen=True, slots=True)
class DiskReading:
    """A disk's sizes in bytes, and its counters since the domain was started; None while they are not known."""

    target: str
    source: str
    """Path of the file or device."""
    capacity: int | None
    used: int | None
    """Bytes that it takes of its pool."""
    read_bytes: int | None = None
    written_bytes: int | None = None
    reads: int | None = None
    writes: int | None = None


@dataclass(frozen=True, slots=True)
class InterfaceReading:
    """An interface's counters since the domain was started, as the guest sees them: ``received`` is what came to it."""

    mac: str
    network: str
    """Name of the libvirt network; empty when it is on none."""
    received_bytes: int
    sent_bytes: int
    received_packets: int = 0
    sent_packets: int = 0


@dataclass(frozen=True, slots=True)
class DomainReading:
    """A domain at one moment; None stands for what the hypervisor did not tell: a gap, not a zero."""

    uuid: str
    run: int | None
    """The number of the domain's run: counters of two runs do not compare. None while the domain is off."""
    moment: float
    """When it was read, on the monotonic clock."""
    power: Power
    cpus: int
    cpu_seconds: float | None = None
    memory_kib: int | None = None
    """The memory that the guest has."""
    memory_used_kib: int | None = None
    disks: tuple[DiskReading, ...] = ()
    interfaces: tuple[InterfaceReading, ...] = ()


@dataclass(frozen=True, slots=True)
class HostReading:
    """All domains of a host; ``moment`` on the monotonic clock, ``time`` in seconds since 1970."""

    moment: float
    time: float
    domains: tuple[DomainReading, ...]


class StatisticsCalls(Protocol):
    """The use that all guests make of the host."""

    async def read(self) -> HostReading:
        """Return what all domains use, by one bulk read.

        A domain that does not answer never holds it up: what is not known of it is None.
        """
        ...
