"""Starting networks and pools of the host, and whether they start with it, in memory and in libvirt."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from drivers.base import Driver, HypervisorSettings
from drivers.libvirt.driver import LibvirtDriver
from drivers.memory import MemoryDriver
from tests import hypervisor
from tests.contract.networks import new_spec

pytestmark = pytest.mark.qemu


@pytest.fixture(params=["memory", "libvirt"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    hypervisor.quiet()
    settings = HypervisorSettings("local", "qemu:///system", "default", "default")
    opened: Driver = MemoryDriver() if request.param == "memory" else LibvirtDriver(settings)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def network(driver: Driver) -> AsyncIterator[str]:
    """The name of a network that is defined and inactive."""
    spec = new_spec()
    await driver.networks.define(spec)
    yield spec.name
    await driver.networks.delete(spec.name)


@pytest.fixture
def pool(driver: Driver) -> Iterator[str]:
    """The name of a pool that is defined and inactive."""
    if isinstance(driver, MemoryDriver):
        driver.state.inactive_pools.add("p")
        yield "p"
        return
    with hypervisor.own_pool() as name:
        with hypervisor.connection() as host:
            host.storagePoolLookupByName(name).destroy()
        yield name


async def test_a_network_may_be_started_without_being_started_with_the_host(driver: Driver, network: str) -> None:
    await driver.networks.start(network, always=False)
    assert (await driver.networks.read(network)).active
    assert network not in (await driver.autostarted()).networks


async def test_a_network_of_ours_starts_with_the_host_until_it_is_stopped(driver: Driver, network: str) -> None:
    await driver.networks.start(network)
    assert network in (await driver.autostarted()).networks
    await driver.networks.stop(network)
    assert network not in (await driver.autostarted()).networks


async def test_an_inactive_pool_is_started_and_an_active_one_left_alone(driver: Driver, pool: str) -> None:
    assert not (await driver.storage.read_pool(pool)).active
    for _ in range(2):
        await driver.storage.start_pool(pool)
        assert (await driver.storage.read_pool(pool)).active
    assert pool not in (await driver.autostarted()).pools
