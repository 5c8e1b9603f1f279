"""The host, and what the configuration says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from drivers.base.networks import AddressPool, BandwidthClass

PoolKind = Literal["", "dir", "netfs", "logical", "iscsi", "rbd"]


@dataclass(frozen=True, slots=True)
class Autostarted:
    """Names of the networks and storage pools that start with the host."""

    networks: frozenset[str]
    pools: frozenset[str]


@dataclass(frozen=True, slots=True)
class Boot:
    """The present boot of a host: what to remember it by, and whether it is another one than was remembered."""

    mark: str
    new: bool


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The host's abilities; ``domain_type`` is the one really used: ``kvm`` or ``qemu``."""

    cpus: int
    memory_kib: int
    cpu_mhz: int
    arches: tuple[str, ...]
    """libvirt's names: x86_64, aarch64..."""
    domain_type: str
    hypervisor_version: str
    uefi: bool
    """True when firmware for UEFI guests is installed."""
    confinement: str = ""
    """The security model that keeps guests apart beyond their user: selinux or apparmor; empty when none does."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """The entry ``[[hypervisor.pools]]``: what may be stored in a pool, and how to define it when libvirt has none.

    When ``kind`` is set the gateway defines the pool by the rest: ``path`` is where it shows on the host, ``host`` and
    ``source`` are where it comes from (an export, a target's name, a Ceph pool, a volume group), ``devices`` are a
    volume group's disks, ``user`` and ``secret`` the login, whose password libvirt keeps under the secret's UUID.
    """

    name: str
    types: list[str] = field(default_factory=lambda: ["mapped"])
    """Types of VolumeConfigurations that go here."""
    formats: list[str] = field(default_factory=list)
    """Formats that may be stored here, the first when none is asked for; empty: what this kind of pool can."""
    overcommit: float = 1.0
    """The number of times that the pool's size may be promised to Volumes."""
    shareable: bool = False
    """Volumes may be connected to several Machines at once: raw ones, whose guests know how to share."""
    kind: PoolKind = ""
    path: str = ""
    host: str = ""
    port: int = 0
    source: str = ""
    source_format: str = ""
    devices: list[str] = field(default_factory=list)
    user: str = ""
    secret: str = ""


@dataclass(frozen=True, slots=True)
class HypervisorSettings:
    """The entry ``[[hypervisor]]`` of the configuration."""

    name: str
    uri: str
    pool: str
    network: str
    domain_type: Literal["auto", "kvm", "qemu"] = "auto"
    pools: tuple[PoolSettings, ...] = ()
    host_networks: list[str] = field(default_factory=list)
    """Networks that the admin keeps: users see and use them beside ``network``, and change them never."""
    address_pools: tuple[AddressPool, ...] = (AddressPool("10.113.0.0/16", 24), AddressPool("fd43:494d:4900::/48", 64))
    """Pools that the ranges of new Networks come from: one range of each protocol that has a pool."""
    public_networks: Literal["nat", "route", "bridge", "none"] = "nat"
    """The way by which a new PUBLIC Network leads out of the host; ``none`` refuses them."""
    public_device: str = ""
    """The host's interface that nat and route go out by; any when empty."""
    public_bridge: str = ""
    """The host's bridge which PUBLIC Networks are when ``public_networks`` is bridge."""
    bandwidth_classes: tuple[BandwidthClass, ...] = ()
    largest_mtu: int = 9000
    dns_domain: str = "cimi.internal"
    """Below it each Network has a DNS domain of its own."""
    anti_spoofing: bool = True
    """Whether guests are held to their own MAC and IP addresses."""
    memory_overcommit: float = 1.5
    """The number of times that the host's memory may be promised to Machines that run; 0: as often as one likes."""
    cpu_overcommit: float = 16.0
    """The same of the host's CPUs."""
    require_confinement: bool = False
    """Whether Machines are made and started only where a security model (SELinux, AppArmor) confines guests."""

    @property
    def every_pool(self) -> tuple[PoolSettings, ...]:
        """All pools that take Volumes: the described ones, and the default pool even where nothing is said of it."""
        if any(pool.name == self.pool for pool in self.pools):
            return self.pools
        return (PoolSettings(self.pool), *self.pools)
