"""Each fault test gets a gateway and a pool of its own, since it may break them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create, wait_ready


@pytest.fixture
def pool() -> Iterator[str]:
    with hypervisor.own_pool() as name:
        yield name


@pytest.fixture
def gateway(pool: str, images: Path, tmp_path: Path) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path / "gateway", pool, images)
    process.prepare()
    yield process
    process.clear()


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[str]:
    with hypervisor.own_pool() as name:
        yield name


@pytest.fixture(scope="module")
def shared(shared_pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for a module's tests: each kills it, and finds it as the one before left it."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), shared_pool, images)
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture(scope="module")
def image(shared: GatewayProcess, images: Path) -> str:
    """URL of the bootable image."""
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    return str(shared.client().added("machineImages", document)["id"])


@pytest.fixture(scope="module")
def machine(shared: GatewayProcess, image: str) -> str:
    """A running Machine whose guest has booted."""
    made = str(shared.client().added("machines", machine_create(image))["id"])
    wait_ready(shared.client(), made)
    return made
