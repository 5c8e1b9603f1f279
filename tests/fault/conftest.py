"""Each fault test gets a gateway and a pool of its own, since it may break them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.system.conftest import images  # noqa: F401 - the fixture


@pytest.fixture
def pool() -> Iterator[str]:
    with hypervisor.own_pool() as name:
        yield name


@pytest.fixture
def gateway(pool: str, images: Path, tmp_path: Path) -> Iterator[GatewayProcess]:  # noqa: F811
    process = GatewayProcess(tmp_path / "gateway", pool, images)
    process.prepare()
    yield process
    process.clear()
