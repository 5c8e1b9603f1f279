"""Devices plugged in and out, in memory and in a real guest: the same promises for both."""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.guest_image import build
from drivers.base import (
    DiskFacts,
    DiskSpec,
    DomainFacts,
    DomainSpec,
    Driver,
    DriverConflict,
    DriverEvent,
    EventKind,
    HypervisorSettings,
    InterfaceSpec,
)
from drivers.libvirt.driver import LibvirtDriver
from drivers.memory import MemoryDriver
from tests import hypervisor

pytestmark = pytest.mark.qemu
MIB = 1024**2
PATIENCE = 60.0
MAC = "52:54:00:0a:0b:0c"


@dataclass
class Guest:
    """A domain of a driver, with a spare volume ``data.qcow2`` and ``other.qcow2`` in its pool."""

    driver: Driver
    pool: str
    uuid: str

    def disk(self, target: str = "vdb", volume: str = "data.qcow2") -> DiskSpec:
        return DiskSpec(self.pool, volume, "qcow2", target, serial="spare")

    async def facts(self) -> DomainFacts:
        return await self.driver.domains.read(self.uuid)

    async def found(self, target: str = "vdb") -> DiskFacts | None:
        return next((disk for disk in (await self.facts()).disks if disk.target == target), None)


@pytest.fixture(scope="module")
def pool() -> Iterator[str]:
    name = f"cimi-devices-{uuid.uuid4().hex[:8]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.remove_domains(name)
    hypervisor.drop_pool(name)


@pytest.fixture(scope="module")
def boot_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("image") / "guest.qcow2")


async def define(driver: Driver, pool: str) -> Guest:
    """A domain that boots from ``boot.qcow2`` of the pool."""
    identity = str(uuid.uuid4())
    disks = (DiskSpec(pool, "boot.qcow2", "qcow2", "vda", boot_order=1),)
    for name in ("data.qcow2", "other.qcow2"):
        await driver.storage.create_volume(pool, name, "qcow2", 8 * MIB)
    await driver.domains.define(
        DomainSpec(identity, f"machines/{identity}", "admin", "t", "", 1, 131072, "x86_64", disks, ())
    )
    return Guest(driver, pool, identity)


@pytest.fixture(params=["memory", "libvirt"])
async def guest(request: pytest.FixtureRequest) -> AsyncIterator[Guest]:
    """A domain that is off, in either driver."""
    if request.param == "memory":
        memory = MemoryDriver()
        await memory.open()
        await memory.storage.create_volume("default", "boot.qcow2", "qcow2", 8 * MIB)
        yield await define(memory, "default")
        return
    pool, boot_file = request.getfixturevalue("pool"), request.getfixturevalue("boot_file")
    shutil.copyfile(boot_file, hypervisor.POOLS / pool / "boot.qcow2")
    driver = LibvirtDriver(HypervisorSettings("local", "qemu:///system", pool, "default", "qemu"))
    await driver.open()
    defined = await define(driver, pool)
    yield defined
    await driver.domains.undefine(defined.uuid)
    await driver.close()


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.1)


@pytest.fixture
async def booted(guest: Guest) -> Guest:
    """The same domain with a guest that has booted."""
    before = (await guest.driver.domains.console_text(guest.uuid, 65536)).count(b"READY")
    await guest.driver.domains.start(guest.uuid)

    async def ready() -> bool:
        return (await guest.driver.domains.console_text(guest.uuid, 65536)).count(b"READY") > before

    await until(ready, "the guest boots")
    return guest


async def test_a_disk_is_attached_for_the_next_boots_while_the_domain_is_off(guest: Guest) -> None:
    await guest.driver.devices.attach_disk(guest.uuid, guest.disk())
    found = await guest.found()
    assert found is not None
    assert found.source == (await guest.driver.storage.read_volume(guest.pool, "data.qcow2")).path
    await guest.driver.devices.detach_disk(guest.uuid, "vdb", PATIENCE)
    assert await guest.found() is None


async def test_attaching_and_detaching_twice_is_as_once(guest: Guest) -> None:
    for _ in range(2):
        await guest.driver.devices.attach_disk(guest.uuid, guest.disk())
    assert [disk.target for disk in (await guest.facts()).disks] == ["vda", "vdb"]
    for _ in range(2):
        await guest.driver.devices.detach_disk(guest.uuid, "vdb", PATIENCE)
    assert [disk.target for disk in (await guest.facts()).disks] == ["vda"]


async def test_a_target_that_another_volume_has_is_a_conflict(guest: Guest) -> None:
    await guest.driver.devices.attach_disk(guest.uuid, guest.disk())
    with pytest.raises(DriverConflict, match="vdb"):
        await guest.driver.devices.attach_disk(guest.uuid, guest.disk(volume="other.qcow2"))


async def test_detaching_from_a_domain_that_is_gone_succeeds(guest: Guest) -> None:
    await guest.driver.domains.undefine(guest.uuid)
    await guest.driver.devices.detach_disk(guest.uuid, "vdb", PATIENCE)


async def test_an_interface_is_attached_and_detached_by_its_mac_address(guest: Guest) -> None:
    for _ in range(2):
        await guest.driver.devices.attach_interface(guest.uuid, InterfaceSpec(MAC, "default"))
    assert [interface.mac for interface in (await guest.facts()).interfaces] == [MAC]
    for _ in range(2):
        await guest.driver.devices.detach_interface(guest.uuid, MAC, PATIENCE)
    assert (await guest.facts()).interfaces == ()


async def test_a_running_guest_gets_devices_at_once_and_lets_go_of_them(booted: Guest) -> None:
    await booted.driver.devices.attach_disk(booted.uuid, booted.disk())
    await booted.driver.devices.attach_interface(booted.uuid, InterfaceSpec(MAC, "default"))
    disk, facts = await booted.found(), await booted.facts()
    assert disk is not None
    assert (disk.plugged, disk.persistent) == (True, True)
    assert [(nic.plugged, nic.persistent) for nic in facts.interfaces] == [(True, True)]
    await asyncio.gather(
        booted.driver.devices.detach_disk(booted.uuid, "vdb", PATIENCE),
        booted.driver.devices.detach_interface(booted.uuid, MAC, PATIENCE),
    )
    assert await booted.found() is None
    assert (await booted.facts()).interfaces == ()


async def test_a_scsi_disk_comes_and_goes_as_well(booted: Guest) -> None:
    await booted.driver.devices.attach_disk(booted.uuid, booted.disk("sdb"))
    await booted.driver.devices.detach_disk(booted.uuid, "sdb", PATIENCE)
    assert await booted.found("sdb") is None


async def test_a_guest_that_does_not_let_go_is_a_conflict_and_keeps_the_device(booted: Guest) -> None:
    """A guest whose CPUs are held cannot let go; once they run again it does, and an event tells of it."""
    if isinstance(booted.driver, MemoryDriver):
        booted.driver.state.clinging = True
    await booted.driver.devices.attach_disk(booted.uuid, booted.disk())
    await booted.driver.domains.pause(booted.uuid)
    with pytest.raises(DriverConflict, match="did not let go"):
        await booted.driver.devices.detach_disk(booted.uuid, "vdb", 2)
    kept = await booted.found()
    assert kept is not None
    assert (kept.plugged, kept.persistent) == (True, True)
    with pytest.raises(DriverConflict, match="did not let go"):
        await booted.driver.devices.detach_disk(booted.uuid, "vdb", 2)
    if isinstance(booted.driver, MemoryDriver):
        booted.driver.state.clinging = False
    await booted.driver.domains.resume(booted.uuid)
    await booted.driver.devices.detach_disk(booted.uuid, "vdb", PATIENCE)
    assert await booted.found() is None


@pytest.mark.parametrize("guest", ["libvirt"], indirect=True)
async def test_a_device_that_goes_late_is_told(booted: Guest) -> None:
    seen: list[DriverEvent] = []
    await booted.driver.devices.attach_disk(booted.uuid, booted.disk())
    await booted.driver.domains.pause(booted.uuid)
    with pytest.raises(DriverConflict):
        await booted.driver.devices.detach_disk(booted.uuid, "vdb", 1)
    booted.driver.subscribe(seen.append)
    await booted.driver.domains.resume(booted.uuid)

    async def told() -> bool:
        states = [event.facts for event in seen if event.kind is EventKind.DOMAIN_CHANGED]
        return any(facts is not None and not _plugged(facts, "vdb") for facts in states)

    await until(told, "an event tells that the device is gone")
    kept = await booted.found()
    assert kept is not None
    assert kept.persistent


def _plugged(facts: DomainFacts, target: str) -> bool:
    return any(disk.target == target and disk.plugged for disk in facts.disks)
