"""A watcher of a gateway's process, which asks it for /health again and again from a process of its own.

What it measures of each answer is a *pause*: the time until the answer, but no more than the time that the gateway's
process computed meanwhile (user and system time of all its threads). Whatever keeps the event loop or the
interpreter's lock from the answer computes in that process, for as long as it keeps it. Where others have the
processors, the answer is late and the gateway computes little; where its threads compute without the lock, the answer
is not late. So a pause is the gateway's own, on a busy machine, too. Work that sleeps on the event loop is not seen
here, but by the detector in tests/api/conftest.py.
"""

from __future__ import annotations

import http.client
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from types import TracebackType

from tests.gateway_process import GatewayProcess

EVERY = 0.02
"""Seconds between two questions."""
PATIENCE = 20.0
"""Seconds after which a question is given up; what the gateway computed until then counts."""
LONGEST = 0.5
"""Seconds that a pause may have."""
MOST_RUNS = 3


class Watcher:
    """Watches a process that listens on this port of this machine, in a ``with`` block."""

    def __init__(self, pid: int, port: int) -> None:
        self._arguments = (str(pid), str(port))
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Watcher:
        command = [sys.executable, "-m", "tests.api.watcher", *self._arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.worst()
        return self

    def worst(self) -> float:
        """Return the longest pause in seconds since this was asked last; the question that is under way counts."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=2 * PATIENCE)


def demand_no_pause(gateway: GatewayProcess, provoke: Callable[[], int]) -> None:
    """Fail when the gateway pauses for LONGEST seconds or more each time that it is provoked.

    What the input causes comes again with each run; what only the machine causes does not come three times. A run
    that ends with another status than the first, as by an early refusal, would prove nothing and fails.
    """
    assert gateway.process is not None
    seen: list[float] = []
    statuses: list[int] = []
    for _ in range(MOST_RUNS):
        with Watcher(gateway.process.pid, gateway.port) as watcher:
            statuses.append(provoke())
            seen.append(watcher.worst())
        assert len(set(statuses)) == 1, f"its runs end differently: {statuses}"
        if seen[-1] < LONGEST:
            return
    raise AssertionError(f"/health waited for the gateway itself, in seconds: {seen}")


# The process


def computed(pid: str) -> float:
    """Return how many seconds all threads of a process have computed."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:  # noqa: PTH123 - quick
        told = file.read().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def pause(pid: str, port: int) -> float:
    """Return the seconds that one answer waited for the gateway itself."""
    asked, before = time.monotonic(), computed(pid)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        # Late, or not at all: what was computed until now tells whose fault it is.
        pass
    finally:
        connection.close()
    return min(time.monotonic() - asked, computed(pid) - before)


def main(pid: str, port: int) -> None:
    """Watch until the standard input ends; say for each line of it the longest pause since the one before."""
    worst = 0.0
    while True:
        worst = max(worst, pause(pid, port))
        if select.select([sys.stdin], [], [], EVERY)[0]:
            if not sys.stdin.readline():
                return
            sys.stdout.write(f"{worst}\n")
            sys.stdout.flush()
            worst = 0.0


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
