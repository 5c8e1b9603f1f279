"""Each fault test gets a gateway and a pool of its own, since it may break them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.system.conftest import images  # noqa: F401 - the fixture


@pytest.fixture
def pool() -> Iterator[str]:
    name = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.remove_domains(name)
    hypervisor.drop_pool(name)


@pytest.fixture
def gateway(pool: str, images: Path, tmp_path: Path) -> Iterator[GatewayProcess]:  # noqa: F811
    process = GatewayProcess(tmp_path / "gateway", pool, images)
    process.prepare()
    yield process
    process.clear()
