"""A gateway that is killed and started again while a client is busy with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cimi_client import Client, Login, Server, upload

from tests.api.images.transfers import RAW
from tests.gateway_process import PASSWORD
from tests.memory_gateway import MemoryGatewayProcess, memory_gateway


@pytest.fixture
def process(tmp_path: Path) -> Iterator[MemoryGatewayProcess]:
    process = memory_gateway(tmp_path)
    process.start()
    yield process
    process.kill()


async def test_an_upload_goes_on_after_a_restart_at_90_percent(process: MemoryGatewayProcess, tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(RAW)
    lives: list[int] = []

    def restart(done: int, total: int) -> None:
        if done >= 0.9 * total and not lives:
            lives.append(done)
            process.kill()
            process.start()

    async with Client(Server(process.base, Login("admin", PASSWORD), patience=240)) as client:
        image = await (await client.create("machineImages", {"name": "up", "size": len(RAW)}))
        image = await (await upload(client, image, path, restart, piece=len(RAW) // 10))
        assert image.state == "AVAILABLE"
    assert len(lives) == 1
