"""What systemd is told while the gateway starts, and what becomes of it when systemd does not listen."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway import systemd_notify
from gateway.systemd_notify import more_time, notify


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listening


def heard(systemd: socket.socket) -> list[bytes]:
    told = []
    with contextlib.suppress(BlockingIOError):
        while True:
            told.append(systemd.recv(4096))
    return told


async def test_a_start_that_takes_long_asks_for_more_time_again_and_again(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_notify, "ASK_EVERY", 0.01)
    told: list[bytes] = []
    async with asyncio.timeout(60), more_time():
        while len(told) < 3:
            told += heard(systemd)
            await asyncio.sleep(0.01)
    assert set(told) == {b"EXTEND_TIMEOUT_USEC=60000000"}


async def test_after_the_start_it_asks_no_more(systemd: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd_notify, "ASK_EVERY", 0.01)
    async with more_time():
        pass
    heard(systemd)
    await asyncio.sleep(0.1)
    assert heard(systemd) == []


async def test_a_start_that_hangs_is_not_waited_for_for_ever(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_notify, "ASK_EVERY", 0.01)
    monkeypatch.setattr(systemd_notify, "LONGEST_START", 0.05)
    async with more_time():
        await asyncio.sleep(0.5)
        heard(systemd)
        await asyncio.sleep(0.1)
        assert heard(systemd) == []


async def test_a_start_that_fails_fails(systemd: socket.socket) -> None:
    with pytest.raises(ValueError, match="broken"):
        async with more_time():
            raise ValueError("broken")


def fill(systemd: socket.socket) -> None:
    """Send datagrams until systemd's queue takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        sender.connect(systemd.getsockname())
        with contextlib.suppress(BlockingIOError):
            while True:
                sender.send(b"WATCHDOG=1")


async def test_the_event_loop_goes_on_while_systemds_queue_is_full(systemd: socket.socket) -> None:
    fill(systemd)
    stopping = asyncio.create_task(notify("STOPPING=1"))
    for _ in range(3):
        await asyncio.sleep(0)
    assert not stopping.done()
    told: list[bytes] = []
    async with asyncio.timeout(60):
        while not stopping.done():
            told += heard(systemd)
            await asyncio.sleep(0.01)
    assert (told + heard(systemd))[-1] == b"STOPPING=1"


@pytest.mark.parametrize("state", ["full", "gone"])
async def test_a_systemd_that_does_not_listen_does_not_stop_the_gateway(
    state: str, systemd: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd_notify, "SEND_PATIENCE", 0.01)
    fill(systemd)
    if state == "gone":
        systemd.close()
    with capture_logs() as lines:
        await notify("READY=1")
    assert [line["event"] for line in lines] == ["systemd was not told"]
