"""Gateways that start in a seventh of the processor time: forks of a process that has loaded all modules.

What a start costs is mostly loading. Everything after it is as with ``python -m gateway``: a process with a memory
of its own, which can be killed, and whose exit code is told. ``python -m tests.forked_gateway FD`` is what is forked;
each process of the tests has one.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import BinaryIO, NoReturn

from tests.place import ROOT

LOADED = ("gateway.cli.serve", "drivers.libvirt.driver", "drivers.memory")
LONGEST_REQUEST = 1024 * 1024
_nurseries: list[socket.socket] = []
"""The one of this process, once it has started a gateway."""


class ForkedProcess:
    """A process with what tests use of ``subprocess.Popen``; its parent is the one that waits for it."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None and self._has_ended(0):
            self._read()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code when there is one. Raises subprocess.TimeoutExpired after so many seconds."""
        if self.returncode is None:
            if not self._has_ended(timeout):
                raise subprocess.TimeoutExpired("gateway", timeout or 0)
            self._read()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send the signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, timeout: float | None) -> bool:
        poll = select.poll()
        poll.register(self._status, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))

    def _read(self) -> None:
        self.returncode = int(os.read(self._status, 64))
        os.close(self._status)


def start(module: str, arguments: Sequence[str], output: BinaryIO, environment: dict[str, str]) -> ForkedProcess:
    """Run a module as ``python -m`` does, with both outputs to one file."""
    if not _nurseries:
        _nurseries.append(_nursery())
    reading, writing = os.pipe()
    request = json.dumps({"module": module, "arguments": list(arguments), "environment": environment}).encode()
    socket.send_fds(_nurseries[0], [request], [output.fileno(), writing])
    os.close(writing)
    return ForkedProcess(int(_nurseries[0].recv(64)), reading)


def _nursery() -> socket.socket:
    """Start the process that is forked; it ends with the other end of this socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forked_gateway", str(theirs.fileno())],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


# The process that is forked


def _serve(control: socket.socket) -> None:
    """Fork for each request, and answer with the pid, until nobody is there to ask."""
    while True:
        request, fds, _, _ = socket.recv_fds(control, LONGEST_REQUEST, 2)
        if not request:
            return None
        output, status = fds
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            pid = os.fork()
            if pid == 0:
                control.detach()
                return _become(json.loads(request), output)
            control.send(str(pid).encode())
            _tell_end(pid, status)
        os.close(output)
        os.close(status)


def _tell_end(pid: int, status: int) -> NoReturn:
    """Wait for the gateway's end, and tell its exit code."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.write(status, str(code).encode())
    os._exit(0)


def _become(request: dict[str, object], output: int) -> None:
    """Be the gateway: with its outputs, its environment, its arguments, and no file of the nursery's."""
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.closerange(3, 1024)
    arguments, environment, module = request["arguments"], request["environment"], str(request["module"])
    assert isinstance(arguments, list) and isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Load what a gateway loads, and serve."""
    for module in LOADED:
        import_module(module)
    # Children are waited for by nobody here, and keep what they have not changed in common.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
