"""A system call filter as the service has it: ``python -m tests.seccomp COMMAND...`` runs a command under it.

``@resources`` is what concerns processes that limit themselves; its calls fail with EPERM.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

RESOURCES = {
    "x86_64": {"setpriority": 141, "sched_setparam": 142, "sched_setscheduler": 144, "setrlimit": 160,
               "sched_setaffinity": 203, "mbind": 237, "set_mempolicy": 238, "ioprio_set": 251},
    "aarch64": {"ioprio_set": 30, "sched_setparam": 118, "sched_setscheduler": 119, "sched_setaffinity": 122,
                "setpriority": 140, "setrlimit": 164, "mbind": 235, "set_mempolicy": 237},
}  # fmt: skip
"""Numbers of the calls of ``systemd-analyze syscall-filter @resources`` (asm/unistd.h)."""
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000 | errno.EPERM


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def refuse(numbers: list[int]) -> None:
    """Refuse these system calls to this process and what it becomes."""
    steps = [struct.pack("<HBBI", LOAD, 0, 0, 0)]
    for place, number in enumerate(numbers):
        steps.append(struct.pack("<HBBI", EQUAL, len(numbers) - place, 0, number))
    steps += [struct.pack("<HBBI", RETURN, 0, 0, ALLOW), struct.pack("<HBBI", RETURN, 0, 0, FAIL)]
    library = ctypes.CDLL(None, use_errno=True)
    program = Program(len(steps), b"".join(steps))
    if library.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) or library.prctl(SECCOMP, FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "no filter can be set")


if __name__ == "__main__":
    refuse(list(RESOURCES[platform.machine()].values()))
    os.execv(sys.argv[1], sys.argv[1:])
