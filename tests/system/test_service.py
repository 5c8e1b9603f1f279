"""The gateway as a service: what systemd hears from it, and how it starts and ends."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.qemu


class Systemd:
    """A systemd that reads what its service sends, as it comes: its queue holds few datagrams."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self._heard: queue.Queue[bytes] = queue.Queue()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(address))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while datagram := self._socket.recv(4096):
            self._heard.put(datagram)

    def next(self) -> bytes:
        """Return the next datagram."""
        return self._heard.get(timeout=PATIENCE)

    def end(self) -> None:
        """Send the reader the empty datagram that ends it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"", str(self.address))
        self._reader.join(PATIENCE)
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """The end of the socket on which systemd listens to its services."""
    listening = Systemd(tmp_path / "notify")
    yield listening
    listening.end()


def test_systemd_hears_when_the_gateway_is_ready_alive_and_stopping(
    systemd: Systemd, tmp_path: Path, pool: str, images: Path
) -> None:
    process = GatewayProcess(tmp_path / "gateway", pool, images, forked=False)
    process.prepare()
    process.start(NOTIFY_SOCKET=str(systemd.address), WATCHDOG_USEC="400000")
    try:
        heard = systemd.next()
        while heard.startswith(b"EXTEND_TIMEOUT_USEC="):
            heard = systemd.next()
        assert heard.startswith(b"READY=1\n")
        assert [systemd.next() for _ in range(3)] == [b"WATCHDOG=1"] * 3
        assert process.stop() == 0
        while heard != b"STOPPING=1":
            heard = systemd.next()
    finally:
        process.kill()
    assert not hypervisor.domains_using(pool)


def test_a_systemd_that_reads_nothing_does_not_hold_up_the_gateway(tmp_path: Path, pool: str, images: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "notify"))
        process = GatewayProcess(tmp_path / "gateway", pool, images, forked=False)
        process.prepare()
        process.start(NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="20000")
        try:
            wait_until(lambda: "systemd was not told" in process.log.read_text(), PATIENCE, "the full queue")
            assert process.client().get()["baseURI"]
            assert process.stop() == 0
        finally:
            process.kill()
