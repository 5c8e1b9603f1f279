"""A gateway over two hosts in memory: ``driver`` is the first, where new Machines go, ``other`` the second."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from drivers.base import HypervisorSettings
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway


@pytest.fixture
def other(driver: MemoryDriver) -> MemoryDriver:
    """Smaller than the first, so that blank Volumes go there; its clock is the same."""
    return MemoryDriver(name="other", pool_capacity=driver.state.pool_capacity // 2)


@pytest.fixture
def settings(settings: config.Settings, hypervisor: dict[str, Any]) -> config.Settings:
    second = HypervisorSettings("other", "memory", "default", "default", **hypervisor)
    return replace(settings, hypervisors=(*settings.hypervisors, second))


@pytest.fixture
async def gateway(settings: config.Settings, driver: MemoryDriver, other: MemoryDriver) -> AsyncIterator[Gateway]:
    running = Gateway(settings, {driver.name: driver, other.name: other})
    await running.start()
    yield running
    await running.stop()
