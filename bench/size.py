"""Memory and start with 10,000 machines stored, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.private import fill, free_port
from bench.report import Row

STORED = 10_000
STARTS = 3
"""The quickest counts, of ours and of the libraries' loading: what others do on the machine meanwhile is not meant."""
CONFIG = """[server]
listen = "127.0.0.1:{port}"
[store]
path = "gateway.db"
[auth]
users_file = "users"
[[hypervisor]]
name = "local"
uri = "qemu:///system"
pool = "default"
network = "default"
"""


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        directory, port = Path(home), free_port()
        asyncio.run(fill(directory / "gateway.db", STORED))
        (directory / "gateway.toml").write_text(CONFIG.format(port=port))
        loading, started = [], []
        for number in range(1, STARTS + 1):
            loading.append(_loading())
            began = time.perf_counter()
            with _running(directory) as process:
                _first_answer(f"http://127.0.0.1:{port}/health")
                started.append(time.perf_counter() - began)
                if number == STARTS:
                    time.sleep(20)
                    resident = _resident(process.pid)
    return [
        Row(f"start with {STORED:,} machines stored until the first answer", min(started), 2.0, " s"),
        Row("the same, against loading aiohttp, libvirt and lxml in a Python", min(started) / min(loading), 5.0),
        Row(f"resident memory with {STORED:,} machines stored, idle", resident, 150.0, " MB"),
    ]


@contextmanager
def _running(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(directory / "gateway.toml")]
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _loading() -> float:
    """Time a Python that loads the largest libraries, which no gateway gets below."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import aiohttp, libvirt, lxml.etree"], check=True)
    return time.perf_counter() - began


def _first_answer(url: str) -> None:
    deadline = time.perf_counter() + 60
    while time.perf_counter() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("the gateway did not start")


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1000
    raise SystemExit("no VmRSS")
