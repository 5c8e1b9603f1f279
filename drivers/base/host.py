"""The host, and what the configuration says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
class HypervisorSettings:
    """One ``[[hypervisor]]`` of the configuration."""

    name: str
    uri: str
    pool: str
    network: str
    domain_type: Literal["auto", "kvm", "qemu"] = "auto"
