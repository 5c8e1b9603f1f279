"""The gateway as a service: what systemd hears from it, and how it starts and ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess

pytestmark = pytest.mark.qemu


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket on which systemd listens to its services."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(20)
        yield listening


def test_systemd_hears_when_the_gateway_is_ready_alive_and_stopping(
    systemd: socket.socket, tmp_path: Path, pool: str, images: Path
) -> None:
    process = GatewayProcess(tmp_path / "gateway", pool, images)
    process.prepare()
    process.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
    try:
        heard = systemd.recv(4096)
        while heard.startswith(b"EXTEND_TIMEOUT_USEC="):
            heard = systemd.recv(4096)
        assert heard.startswith(b"READY=1\n")
        assert [systemd.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert process.stop() == 0
        while heard != b"STOPPING=1":
            heard = systemd.recv(4096)
    finally:
        process.kill()
    assert not hypervisor.domains_using(pool)
