"""Limits on what a reading process may take of its host."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 32
"""Open files: libraries are loaded when they are needed, and nothing else is opened."""
FIRST_TO_GO = "1000"
EVENTS = Path("/proc/vmstat")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a reading process: ``memory`` in bytes of address space, all others in seconds.

    ``cpu_seconds`` are those of one reading. The deadline counts only while the gateway waits for the process, not
    while the process waits for bytes; the conversation is both together.
    """

    cpu_seconds: int = 10
    memory: int = 512 * 1024**2
    deadline: float = 60.0
    conversation: float = 300.0


def confine(memory: int) -> None:
    """Limit this process for good: its memory and files, and no core dump; out of memory it is the first to be killed.

    prlimit and setrlimit are one system call to the C library, which the service's filter allows.
    """
    _offer_to_the_oom_killer()
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, MOST_FILES),
    ):
        resource.setrlimit(kind, (most, most))


def allow_cpu(seconds: int) -> None:
    """Let this process compute for so many seconds from now on; the kernel kills it (SIGXCPU) when it goes on."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + seconds + 1, hard))


def _offer_to_the_oom_killer() -> None:
    try:
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO)
    except OSError:
        # A host without it kills the largest process, which is as good.
        return


def oom_kills() -> int:
    """Return how many processes of this host were killed for want of memory; 0 where the kernel does not tell."""
    try:
        lines = EVENTS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
