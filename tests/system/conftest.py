"""A private gateway over qemu:///system with the bootable guest image, shared by a module's tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.guests import bootable_image, machine_create, wait_ready


@pytest.fixture(scope="module")
def pool() -> Iterator[str]:
    name = f"cimi-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.remove_domains(name)
    hypervisor.drop_pool(name)


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture(scope="module")
def admin(gateway: GatewayProcess) -> CimiClient:
    return gateway.client("admin")


@pytest.fixture(scope="module")
def guest(admin: CimiClient, image: str, gateway: GatewayProcess) -> Iterator[str]:
    """URL of a running Machine whose guest has booted (it printed READY)."""
    made = admin.added("machines", machine_create(image))
    wait_ready(admin, str(made["id"]))
    yield str(made["id"])


@pytest.fixture(scope="module")
def image(admin: CimiClient, images: Path) -> str:
    return bootable_image(admin, images)
