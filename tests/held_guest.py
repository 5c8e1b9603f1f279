"""A guest's QEMU that is held (SIGSTOP): what asks it waits, so that a test is in the middle for certain."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cimi_client import wait_until
from tests.urls import uuid_of

SLICE = 0.002
"""Seconds that a held QEMU runs at a time."""
STOPPED = ("T", "t")


def qemu_of(machine: str) -> int:
    """Return the process of a running Machine's QEMU."""
    return int(Path(f"/run/libvirt/qemu/cimi-{uuid_of(machine)}.pid").read_text())


@contextmanager
def held(machine: str) -> Iterator[int]:
    """Hold the QEMU of the Machine, and let it go on afterwards if it still lives."""
    process = qemu_of(machine)
    try:
        hold(process)
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


def hold(process: int) -> None:
    """Stop all threads of the process, and return when none of them runs any more."""
    os.kill(process, signal.SIGSTOP)
    wait_until(lambda: all(state in STOPPED for state in _states(process)), 20, "the process stands still")


def run_a_slice(process: int) -> None:
    """Let a held process go on for a moment, and hold it again."""
    os.kill(process, signal.SIGCONT)
    time.sleep(SLICE)
    hold(process)


def bytes_written(process: int) -> int:
    """Return the bytes that the process has written since it began, to whatever it was."""
    lines = Path(f"/proc/{process}/io").read_text().splitlines()
    return next(int(line.partition(":")[2]) for line in lines if line.startswith("wchar:"))


def _states(process: int) -> list[str]:
    """Return the state of each thread; a name in ``stat`` may have spaces, and ends at the last parenthesis."""
    states = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            states.append((thread / "stat").read_text().rpartition(")")[2].split()[0])
    return states
