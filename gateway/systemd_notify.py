"""The words to systemd: ready, alive, stopping (sd_notify's datagrams)."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog

from drivers.supervision import Supervision

log = structlog.get_logger("systemd")

SEND_PATIENCE = 5.0
"""Seconds that a datagram waits for room in systemd's queue."""
ASK_EVERY = 15.0
"""Seconds between two requests for more time to start."""
MORE = 60.0
"""Seconds that each of them asks for."""
LONGEST_START = 1800.0
"""Seconds after which a start is held to hang."""


async def notify(*lines: str) -> None:
    """Send state lines such as READY=1; nothing happens where systemd does not listen.

    systemd's queue holds few datagrams. The event loop goes on while one waits for room in it.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        await _send(address, "\n".join(lines).encode())
    except OSError as error:
        log.warning("systemd was not told", lines=lines, reason=str(error) or type(error).__name__)


async def _send(address: str, datagram: bytes) -> None:
    kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with socket.socket(socket.AF_UNIX, kind) as sender:
        sender.connect(address)
        async with asyncio.timeout(SEND_PATIENCE):
            await asyncio.get_running_loop().sock_sendall(sender, datagram)


def watchdog_interval() -> float | None:
    """Return the seconds between two signs of life; None when systemd wants none."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    return int(micros) / 2_000_000 if micros.isdecimal() and int(micros) else None


@asynccontextmanager
async def more_time() -> AsyncIterator[None]:
    """Put systemd's deadline for the start off while the block runs and the loop turns: hosts may be slow."""
    asking = asyncio.create_task(_ask_for_time(), name="more time to start")
    try:
        yield
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _ask_for_time() -> None:
    end = time.monotonic() + LONGEST_START
    while time.monotonic() < end:
        await notify(f"EXTEND_TIMEOUT_USEC={int(MORE * 1_000_000)}")
        await asyncio.sleep(ASK_EVERY)


def keep_alive(supervision: Supervision, alive: Callable[[], bool]) -> None:
    """Feed the watchdog from the event loop, as long as ``alive`` agrees."""

    async def feed() -> None:
        if alive():
            await notify("WATCHDOG=1")

    interval = watchdog_interval()
    if interval is not None:
        supervision.keep("watchdog", feed, interval)
