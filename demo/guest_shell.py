"""Commands in the root shell that the small guest offers on its serial console."""

from __future__ import annotations

import os
import re
import secrets
import select
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import libvirt
from lxml import etree


class GuestShellError(Exception):
    """Failure of a guest to answer in time; the message holds what it printed."""


def run_in_guest(uuid: str, command: str, seconds: float = 60) -> tuple[int, str]:
    """Return exit code and output of a shell command in the guest of this domain, which must have booted (READY)."""
    mark = secrets.token_hex(4)
    # The quotes keep the typed line, which the guest echoes, from looking like the answer.
    typed = f"stty -echo 2>/dev/null; echo B''{mark}; {command}; echo E''{mark}=$?; stty echo 2>/dev/null\n"
    answer = re.compile(rf"B{mark}\r?\n(.*?)E{mark}=(\d+)", re.DOTALL)
    with _console(uuid) as console:
        os.write(console, b"\n" + typed.encode())
        text = ""
        for piece in _pieces(console, time.monotonic() + seconds):
            text += piece
            match = answer.search(text)
            if match:
                return int(match.group(2)), match.group(1).replace("\r\n", "\n")
    raise GuestShellError(f"{command!r} did not end within {seconds:g} s; the guest printed:\n{text[-2000:]}")


@contextmanager
def _console(uuid: str) -> Iterator[int]:
    """Open the terminal behind the guest's first serial port."""
    host = libvirt.open("qemu:///system")
    try:
        described = etree.fromstring(host.lookupByUUIDString(uuid).XMLDesc(0))
    finally:
        host.close()
    source = described.find("devices/serial/source")
    if source is None or not source.get("path"):
        raise GuestShellError("the domain does not run, or has no serial console")
    console = os.open(str(source.get("path")), os.O_RDWR | os.O_NOCTTY)
    try:
        tty.setraw(console)
        yield console
    finally:
        os.close(console)


def _pieces(console: int, until: float) -> Iterator[str]:
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([console], [], [], left)
        if ready:
            yield os.read(console, 4096).decode(errors="replace")
