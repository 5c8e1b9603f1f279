"""Statistics of real domains: the room that disks take, whether the guest runs or not."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from drivers.base import DiskReading, DiskSpec, DomainSpec, HypervisorSettings
from drivers.libvirt.driver import LibvirtDriver
from tests import hypervisor

pytestmark = pytest.mark.qemu
MIB = 1024**2
FORMATS = ("raw", "qcow2")


@dataclass
class Guest:
    """A domain that is off, with a disk of each format: 64 MiB long, of which 2 MiB were written."""

    driver: LibvirtDriver
    uuid: str

    async def disks(self) -> tuple[DiskReading, ...]:
        host = await self.driver.statistics.read()
        return next(domain.disks for domain in host.domains if domain.uuid == self.uuid)


@pytest.fixture
def pool() -> Iterator[str]:
    name = f"cimi-statistics-{uuid.uuid4().hex[:8]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.remove_domains(name)
    hypervisor.drop_pool(name)


@pytest.fixture
async def guest(pool: str) -> AsyncIterator[Guest]:
    driver = LibvirtDriver(HypervisorSettings("local", "qemu:///system", pool, "default", "qemu"))
    await driver.open()
    identity = str(uuid.uuid4())
    for name in FORMATS:
        made = await driver.storage.create_volume(pool, name, name, 64 * MIB)
        write = ["qemu-io", "-f", name, "-c", "write 32M 2M", made.path]
        await asyncio.to_thread(subprocess.run, write, check=True, capture_output=True)
    disks = tuple(DiskSpec(pool, name, name, f"vd{letter}") for letter, name in zip("ab", FORMATS, strict=True))
    await driver.domains.define(
        DomainSpec(identity, f"machines/{identity}", "admin", "t", "", 1, 131072, "x86_64", disks, ())
    )
    yield Guest(driver, identity)
    await driver.domains.undefine(identity)
    await driver.close()


@pytest.mark.parametrize("running", [False, True])
async def test_a_disk_uses_what_was_written_to_it_and_not_its_length(guest: Guest, running: bool) -> None:
    if running:
        await guest.driver.domains.start(guest.uuid, paused=True)
    disks = await guest.disks()
    assert [disk.capacity for disk in disks] == [64 * MIB, 64 * MIB]
    assert all(2 * MIB <= (disk.used or 0) < 4 * MIB for disk in disks), disks
