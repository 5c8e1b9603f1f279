"""The drivers that keep the same promises: in memory, and libvirt with a pool of its own."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from drivers.base import DiskSpec, DomainSpec, Driver, HypervisorSettings, InterfaceSpec
from drivers.libvirt.driver import LibvirtDriver
from drivers.memory import MemoryDriver
from tests import hypervisor

DRIVERS = ("memory", "libvirt")
MIB = 1024**2


@dataclass
class Host:
    """An open driver with a pool of files that nobody else uses."""

    driver: Driver
    pool: str

    async def volume(self, name: str, format: str = "qcow2") -> str:
        """Make a volume of 8 MiB, and return its path."""
        return (await self.driver.storage.create_volume(self.pool, name, format, 8 * MIB)).path

    async def define(self, *interfaces: InterfaceSpec) -> str:
        """Define a domain with a disk ``vda`` on the volume ``boot``, and return its UUID."""
        await self.volume("boot")
        identity = str(uuid.uuid4())
        disks = (DiskSpec(self.pool, "boot", "qcow2", "vda"),)
        await self.driver.domains.define(
            DomainSpec(identity, f"machines/{identity}", "me", "title", "", 1, 131072, "x86_64", disks, interfaces)
        )
        return identity


@asynccontextmanager
async def opened(name: str) -> AsyncIterator[Host]:
    """Yield a host of the driver of this name, and take away all that was made there."""
    if name == "memory":
        memory = MemoryDriver()
        await memory.open()
        yield Host(memory, "default")
        return
    with _pool() as pool:
        driver = LibvirtDriver(HypervisorSettings("local", "qemu:///system", pool, "default", "qemu"))
        await driver.open()
        try:
            yield Host(driver, pool)
        finally:
            await driver.close()


@contextmanager
def _pool() -> Iterator[str]:
    name = f"cimi-both-{uuid.uuid4().hex[:8]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    try:
        yield name
    finally:
        hypervisor.remove_domains(name)
        hypervisor.drop_pool(name)


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""
