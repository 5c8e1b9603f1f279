"""Networks, their reservations and filters, in memory and in libvirt: the same promises for both."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import pytest

from drivers.base import Driver, DriverNotFound, HypervisorSettings, NetworkFacts, NetworkSpec, Reach, Reservation
from drivers.libvirt.driver import LibvirtDriver
from drivers.memory import MemoryDriver
from tests import hypervisor
from tests.contract.networks import new_spec

pytestmark = pytest.mark.qemu


@dataclass
class Lab:
    """A driver, and a network of its own to try it on."""

    driver: Driver
    spec: NetworkSpec

    @property
    def name(self) -> str:
        return self.spec.name

    async def facts(self) -> NetworkFacts:
        return await self.driver.networks.read(self.name)


@pytest.fixture(params=["memory", "libvirt"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    hypervisor.quiet()
    settings = HypervisorSettings("local", "qemu:///system", "default", "default")
    driver: Driver = MemoryDriver() if request.param == "memory" else LibvirtDriver(settings)
    await driver.open()
    made = Lab(driver, new_spec())
    yield made
    await driver.networks.delete(made.name)
    await driver.filters.delete(made.spec.uuid)
    await driver.close()


async def test_a_defined_network_is_off_and_says_whose_it_is(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    facts = await lab.facts()
    assert not facts.active
    assert facts.persistent
    assert (facts.uuid, facts.network, facts.bridge) == (lab.spec.uuid, lab.spec.network, lab.spec.bridge)
    assert (facts.forward, facts.mtu) == ("open", 1400)
    assert facts.ranges == tuple(f"{entry.gateway}/{entry.prefix}" for entry in lab.spec.ranges)


async def test_start_stop_and_delete_may_be_asked_twice(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    for _ in range(2):
        await lab.driver.networks.start(lab.name)
    assert (await lab.facts()).active
    for _ in range(2):
        await lab.driver.networks.stop(lab.name)
    assert not (await lab.facts()).active
    for _ in range(2):
        await lab.driver.networks.delete(lab.name)
    with pytest.raises(DriverNotFound):
        await lab.facts()


async def test_a_running_network_is_deleted_whole(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    await lab.driver.networks.start(lab.name)
    await lab.driver.networks.delete(lab.name)
    assert hypervisor.traces_of_network(lab.spec.uuid) == []


async def test_defining_again_keeps_it_running_and_takes_the_new_definition(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    await lab.driver.networks.start(lab.name)
    await lab.driver.networks.define(replace(lab.spec, mtu=1300))
    assert (await lab.facts()).active
    await lab.driver.networks.stop(lab.name)
    assert (await lab.facts()).mtu == 1300


async def test_a_network_that_is_not_there_is_not_started(lab: Lab) -> None:
    with pytest.raises(DriverNotFound):
        await lab.driver.networks.start(lab.name)


async def test_its_ranges_are_occupied_as_long_as_it_is_there(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    own = f"{lab.spec.ranges[0].gateway}/{lab.spec.ranges[0].prefix}"
    assert own in await lab.driver.networks.occupied_ranges()
    await lab.driver.networks.delete(lab.name)
    assert own not in await lab.driver.networks.occupied_ranges()


@pytest.mark.parametrize("running", [True, False])
async def test_reservations_come_change_and_go(lab: Lab, running: bool) -> None:
    await lab.driver.networks.define(lab.spec)
    if running:
        await lab.driver.networks.start(lab.name)
    base = lab.spec.ranges[0].gateway.removesuffix(".1")
    first = Reservation(f"{base}.7", "52:54:00:0a:00:01", "db")
    moved = Reservation(f"{base}.8", "52:54:00:0a:00:01", "db")
    for _ in range(2):
        await lab.driver.networks.reserve_host(lab.name, first)
    assert (await lab.facts()).reservations == (first,)
    await lab.driver.networks.reserve_host(lab.name, moved)
    assert (await lab.facts()).reservations == (moved,)
    for _ in range(2):
        await lab.driver.networks.release_host(lab.name, moved)
    assert (await lab.facts()).reservations == ()


async def test_one_name_may_stand_for_an_ipv4_and_an_ipv6_address(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    await lab.driver.networks.start(lab.name)
    four = Reservation(lab.spec.ranges[0].gateway.removesuffix(".1") + ".9", "52:54:00:0a:00:02", "db")
    six = Reservation(lab.spec.ranges[1].gateway.removesuffix("1") + "9", None, "db")
    await lab.driver.networks.reserve_host(lab.name, four)
    await lab.driver.networks.reserve_host(lab.name, six)
    assert set((await lab.facts()).reservations) == {four, six}
    await lab.driver.networks.release_host(lab.name, four)
    assert (await lab.facts()).reservations == (six,)


async def test_a_network_without_guests_has_no_leases_and_nobody_to_reconnect(lab: Lab) -> None:
    await lab.driver.networks.define(lab.spec)
    await lab.driver.networks.start(lab.name)
    assert await lab.driver.networks.leases(lab.name) == ()
    assert await lab.driver.networks.reconnect_interfaces((lab.name,)) == {}


async def test_a_filter_is_made_once_and_goes_once(lab: Lab) -> None:
    reach = Reach(lab.spec.uuid, tuple(f"{entry.gateway}/{entry.prefix}" for entry in lab.spec.ranges), closed=True)
    assert await lab.driver.filters.define(reach)
    assert not await lab.driver.filters.define(reach)
    assert lab.spec.uuid in await lab.driver.filters.list_networks()
    for _ in range(2):
        await lab.driver.filters.delete(lab.spec.uuid)
    assert lab.spec.uuid not in await lab.driver.filters.list_networks()


async def test_a_filter_that_asks_for_ipv6_addresses_is_made_beside_the_networks_own_and_goes_with_it(
    lab: Lab,
) -> None:
    ranges = tuple(f"{entry.gateway}/{entry.prefix}" for entry in lab.spec.ranges)
    reach = Reach(lab.spec.uuid, ranges, closed=True)
    await lab.driver.filters.define(reach)
    assert await lab.driver.filters.define(replace(reach, fixed=True))
    assert not await lab.driver.filters.define(replace(reach, fixed=True))
    await lab.driver.filters.delete(lab.spec.uuid)
    assert lab.spec.uuid not in await lab.driver.filters.list_networks()


@pytest.fixture
def bridge() -> Iterator[str]:
    """A bridge of the host's own."""
    name = f"ctest{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    # It fails when the bridge went with the network.
    subprocess.run(["ip", "link", "delete", name], check=True)


async def test_a_bridge_of_the_host_is_used_and_left(lab: Lab, bridge: str) -> None:
    spec = replace(lab.spec, forward="bridge", bridge=bridge, ranges=(), mtu=None)
    await lab.driver.networks.define(spec)
    await lab.driver.networks.start(spec.name)
    facts = await lab.driver.networks.read(spec.name)
    assert (facts.active, facts.forward, facts.bridge, facts.ranges) == (True, "bridge", bridge, ())
    await lab.driver.networks.delete(spec.name)
