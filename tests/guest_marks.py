"""Marks in a guest's memory and on its disk, written and read through its serial console."""

from __future__ import annotations

from demo.guest_shell import run_in_guest
from tests.urls import uuid_of

SECTOR = 64
PARTITION = "/dev/vda2"


def mark(machine: str, text: str) -> None:
    """Write the text into a file in memory, and on the disk past all caches."""
    command = (
        f"echo {text} >/tmp/mark; echo {text} | dd of={PARTITION} bs=512 seek={SECTOR} conv=sync 2>/dev/null; sync"
    )
    code, output = run_in_guest(uuid_of(machine), command)
    assert code == 0, output


def memory_mark(machine: str) -> str:
    """What the guest's memory says; empty after a boot."""
    return run_in_guest(uuid_of(machine), "cat /tmp/mark 2>/dev/null")[1].strip()


def disk_mark(machine: str) -> str:
    command = (
        f"echo 3 >/proc/sys/vm/drop_caches; dd if={PARTITION} bs=512 skip={SECTOR} count=1 2>/dev/null | tr -d '\\000'"
    )
    return run_in_guest(uuid_of(machine), command)[1].strip()
