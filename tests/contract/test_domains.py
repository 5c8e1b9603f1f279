"""Domains, their devices and copies, in memory and on a real host: the same promises for both."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from drivers.base import (
    DiskSpec,
    DriverConflict,
    DriverInvalid,
    DriverNotFound,
    InterfaceSpec,
    Power,
)
from drivers.memory import MemoryDriver
from tests import hypervisor
from tests.contract.both import DRIVERS, Host, ignore, opened

pytestmark = pytest.mark.qemu
MAC = "52:54:00:0a:0b:0d"
NOBODY = str(uuid.UUID(int=1))
Call = Callable[[Host, str], Awaitable[object]]


@pytest.fixture(params=DRIVERS)
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    async with opened(request.param) as made:
        yield made


CALLS: dict[str, Call] = {
    "read": lambda host, uuid: host.driver.domains.read(uuid),
    "make_persistent": lambda host, uuid: host.driver.domains.make_persistent(uuid),
    "describe": lambda host, uuid: host.driver.domains.describe(uuid, "t", "d"),
    "start": lambda host, uuid: host.driver.domains.start(uuid),
    "request_shutdown": lambda host, uuid: host.driver.domains.request_shutdown(uuid),
    "power_off": lambda host, uuid: host.driver.domains.power_off(uuid),
    "pause": lambda host, uuid: host.driver.domains.pause(uuid),
    "resume": lambda host, uuid: host.driver.domains.resume(uuid),
    "save": lambda host, uuid: host.driver.domains.save(uuid, ignore),
    "discard_saved": lambda host, uuid: host.driver.domains.discard_saved(uuid),
    "resize": lambda host, uuid: host.driver.domains.resize(uuid, 1, 131072),
    "interface_addresses": lambda host, uuid: host.driver.domains.interface_addresses(uuid),
    "attach_disk": lambda host, uuid: host.driver.devices.attach_disk(uuid, DiskSpec(host.pool, "a", "qcow2", "vdb")),
    "grow_disk": lambda host, uuid: host.driver.devices.grow_disk(uuid, "vda", 1),
    "replace_disk": lambda host, uuid: host.driver.devices.replace_disk(uuid, "vda", host.pool, "a", "qcow2"),
    "attach_interface": lambda host, uuid: host.driver.devices.attach_interface(uuid, InterfaceSpec(MAC, "default")),
    "update_interface": lambda host, uuid: host.driver.devices.update_interface(uuid, InterfaceSpec(MAC, "default")),
    "copies.make": lambda host, uuid: host.driver.copies.make(uuid, "vda", host.pool, "copy", ignore),
    "snapshots.list_all": lambda host, uuid: host.driver.snapshots.list_all(uuid),
    "snapshots.take": lambda host, uuid: host.driver.snapshots.take(uuid, "s"),
    "snapshots.revert": lambda host, uuid: host.driver.snapshots.revert(uuid, "s"),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_domain_that_is_not_there_is_not_found(host: Host, call: str) -> None:
    await host.volume("a")
    with pytest.raises(DriverNotFound):
        await CALLS[call](host, NOBODY)


async def test_to_remove_from_a_domain_that_is_not_there_is_no_error(host: Host) -> None:
    await host.driver.domains.undefine(NOBODY)
    await host.driver.domains.cancel_save(NOBODY)
    await host.driver.devices.detach_disk(NOBODY, "vda", 1)
    await host.driver.devices.detach_interface(NOBODY, MAC, 1)
    await host.driver.copies.discard(NOBODY, host.pool, "copy")
    await host.driver.snapshots.delete(NOBODY, "s")
    assert await host.driver.storage.list_volumes(host.pool) == ()


async def test_the_console_of_a_domain_that_is_not_there_is_empty(host: Host) -> None:
    assert await host.driver.domains.console_text(NOBODY, 100) == b""


async def test_the_console_goes_with_its_domain(host: Host) -> None:
    machine = await host.define()
    await host.driver.domains.start(machine)
    await host.driver.domains.undefine(machine)
    assert await host.driver.domains.console_text(machine, 100) == b""


async def test_a_domain_that_is_off_cannot_be_paused_nor_shut_down_and_is_off_already(host: Host) -> None:
    machine = await host.define()
    for call in (host.driver.domains.pause, host.driver.domains.request_shutdown):
        with pytest.raises(DriverConflict):
            await call(machine)
    await host.driver.domains.power_off(machine)
    await host.driver.domains.resume(machine)
    await host.driver.domains.discard_saved(machine)
    assert (await host.driver.domains.read(machine)).power is Power.OFF


async def test_start_pause_and_resume_may_be_asked_twice(host: Host) -> None:
    machine, domains = await host.define(), host.driver.domains
    for call, power in (
        (domains.start, Power.RUNNING),
        (domains.pause, Power.PAUSED),
        (domains.start, Power.PAUSED),
        (domains.resume, Power.RUNNING),
    ):
        for _ in range(2):
            await call(machine)
            assert (await domains.read(machine)).power is power


async def make_transient(host: Host, machine: str) -> None:
    """Forget the definition of a running domain, as an admin does with ``virsh undefine``."""
    if isinstance(host.driver, MemoryDriver):
        facts = host.driver.state.domains[machine]
        host.driver.state.domains[machine] = replace(facts, persistent=False)
        return
    with hypervisor.connection() as connection:
        connection.lookupByUUIDString(machine).undefine()


@pytest.mark.parametrize("change", ["describe", "resize", "save"])
async def test_a_domain_that_would_vanish_is_changed_for_its_next_boot_too(host: Host, change: str) -> None:
    machine = await host.define()
    await host.driver.domains.start(machine)
    await make_transient(host, machine)
    await CALLS[change](host, machine)
    await host.driver.domains.power_off(machine)
    assert (await host.driver.domains.read(machine)).persistent


async def test_another_volume_comes_behind_a_disk_of_a_domain_that_is_off(host: Host) -> None:
    machine, path = await host.define(), await host.volume("other")
    await host.driver.devices.replace_disk(machine, "vda", host.pool, "other", "qcow2")
    assert [disk.source for disk in (await host.driver.domains.read(machine)).disks] == [path]


@pytest.mark.parametrize(("target", "volume"), [("vdz", "other"), ("vda", "missing")])
async def test_a_disk_or_volume_that_is_missing_is_not_exchanged(host: Host, target: str, volume: str) -> None:
    machine, before = await host.define(), await host.volume("boot")
    await host.volume("other")
    with pytest.raises(DriverNotFound):
        await host.driver.devices.replace_disk(machine, target, host.pool, volume, "qcow2")
    assert [disk.source for disk in (await host.driver.domains.read(machine)).disks] == [before]


async def test_the_disk_of_a_running_domain_is_not_exchanged(host: Host) -> None:
    machine = await host.define()
    await host.volume("other")
    await host.driver.domains.start(machine)
    with pytest.raises(DriverConflict):
        await host.driver.devices.replace_disk(machine, "vda", host.pool, "other", "qcow2")


async def test_a_mac_that_another_interface_of_the_domain_has_is_a_conflict(host: Host) -> None:
    machine = await host.define(InterfaceSpec(MAC, "default"))
    with pytest.raises(DriverConflict):
        await host.driver.devices.attach_interface(machine, InterfaceSpec(MAC, "another"))


async def test_an_interface_that_is_missing_is_not_changed(host: Host) -> None:
    machine = await host.define()
    with pytest.raises(DriverNotFound):
        await host.driver.devices.update_interface(machine, InterfaceSpec(MAC, "default"))


async def test_a_volume_that_is_missing_is_not_attached(host: Host) -> None:
    machine = await host.define()
    with pytest.raises(DriverNotFound):
        await host.driver.devices.attach_disk(machine, DiskSpec(host.pool, "missing", "qcow2", "vdb"))


async def test_the_disk_of_a_domain_that_is_off_is_not_copied(host: Host) -> None:
    machine = await host.define()
    with pytest.raises(DriverConflict):
        await host.driver.copies.make(machine, "vda", host.pool, "copy", ignore)


async def test_a_disk_that_is_missing_is_not_copied(host: Host) -> None:
    machine = await host.define()
    await host.driver.domains.start(machine)
    with pytest.raises(DriverNotFound):
        await host.driver.copies.make(machine, "vdz", host.pool, "copy", ignore)


async def test_a_copy_has_a_name_for_a_volume(host: Host) -> None:
    machine = await host.define()
    await host.driver.domains.start(machine)
    with pytest.raises(DriverInvalid):
        await host.driver.copies.make(machine, "vda", host.pool, "../copy", ignore)


async def test_to_discard_a_copy_in_a_pool_that_is_missing_is_no_error(host: Host) -> None:
    await host.driver.copies.discard(await host.define(), "cimi-missing", "copy")
