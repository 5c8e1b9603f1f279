"""What systemd is told: ready, alive, stopping (sd_notify's datagrams)."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from drivers.base import Supervision

FALLBACK_SECONDS = 10.0


def notify(*lines: str) -> None:
    """Send state lines such as READY=1; nothing happens where systemd does not listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.connect(address)
        sender.sendall("\n".join(lines).encode())


def watchdog_interval() -> float | None:
    """Seconds between two signs of life; None when systemd wants none."""
    micros = os.environ.get("WATCHDOG_USEC", "")
    return int(micros) / 2_000_000 if micros.isdecimal() and int(micros) else None


def keep_alive(supervision: Supervision, alive: Callable[[], bool]) -> None:
    """Feed the watchdog from the event loop, as long as ``alive`` agrees."""

    async def feed() -> None:
        if alive():
            notify("WATCHDOG=1")

    interval = watchdog_interval()
    if interval is not None:
        supervision.keep("watchdog", feed, interval)
