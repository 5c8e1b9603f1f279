"""Volumes in the pool of a gateway that may be dead."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

from tests import hypervisor
from tests.gateway_process import GatewayProcess

CAPACITY = 8_000


def create(**config: Any) -> dict[str, Any]:
    return {"volumeTemplate": {"volumeConfig": {"capacity": CAPACITY, "format": "raw", **config}}}


def volumes_in(gateway: GatewayProcess) -> list[str]:
    return [name for name in hypervisor.files_in(gateway.pool) if name.startswith("cimi-volume-")]


def fill(gateway: GatewayProcess, volume: str) -> str:
    """Write bytes into the Volume's file; their checksum."""
    path = file_of(gateway, volume)
    with path.open("r+b") as file:
        file.write(hashlib.sha256(volume.encode()).digest() * 4096)
    return checksum(gateway, volume)


def file_of(gateway: GatewayProcess, volume: str) -> Path:
    name = next(name for name in volumes_in(gateway) if volume.rpartition("/")[2] in name)
    return hypervisor.POOLS / gateway.pool / name


def checksum(gateway: GatewayProcess, volume: str) -> str:
    return hashlib.sha256(file_of(gateway, volume).read_bytes()).hexdigest()


def connected(gateway: GatewayProcess, machine: str, volume: str) -> bool:
    """As libvirt tells, both of the running guest and of its next boot."""
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        name = file_of(gateway, volume).name
        return all(name in domain.XMLDesc(flags) for flags in (0, 2))


def disconnected(gateway: GatewayProcess, machine: str, volume: str) -> bool:
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        name = file_of(gateway, volume).name
        return not any(name in domain.XMLDesc(flags) for flags in (0, 2))


def recognised(path: Path) -> str:
    """The file system that the host's tools see in a raw Volume."""
    command = ["/usr/sbin/blkid", "-p", "-o", "value", "-s", "TYPE", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout.strip()
