"""Bounds of what a guest takes of its host, as a libvirt that runs the guest has them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from lxml import etree

from drivers.base import DiskSpec, DomainSpec
from tests import hypervisor
from tests.contract.both import Host, opened

pytestmark = pytest.mark.qemu


@dataclass
class Bounded:
    host: Host
    uuid: str

    def running(self) -> etree._Element:
        """The domain as it runs."""
        with hypervisor.connection() as connection:
            return etree.fromstring(connection.lookupByUUIDString(self.uuid).XMLDesc(0))


@pytest.fixture
async def guest() -> AsyncIterator[Bounded]:
    async with opened("libvirt") as host:
        await host.volume("boot")
        await host.volume("data")
        identity = str(uuid.uuid4())
        disks = (DiskSpec(host.pool, "boot", "qcow2", "vda", operations=500, bandwidth=10_000),)
        await host.driver.domains.define(
            DomainSpec(identity, f"machines/{identity}", "me", "t", "", 1, 65536, "x86_64", disks, (), cpu_shares=200)
        )
        await host.driver.domains.start(identity)
        yield Bounded(host, identity)
        await host.driver.domains.power_off(identity)


async def test_the_disks_of_a_running_guest_are_bounded_those_that_are_plugged_in_too(guest: Bounded) -> None:
    plugged = DiskSpec(guest.host.pool, "data", "qcow2", "vdb", operations=500, bandwidth=10_000)
    await guest.host.driver.devices.attach_disk(guest.uuid, plugged)
    running = guest.running()
    for target in ("vda", "vdb"):
        iotune = f"devices/disk/target[@dev='{target}']/../iotune"
        assert running.findtext(f"{iotune}/total_iops_sec") == "500"
        assert running.findtext(f"{iotune}/total_bytes_sec") == "10000000"


async def test_a_running_guest_has_its_shares(guest: Bounded) -> None:
    assert guest.running().findtext("cputune/shares") == "200"
