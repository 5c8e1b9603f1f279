"""The command ``cimi`` against curl: what a list costs the processor, and how long an upload takes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.private import fill, hold, machine, serving
from bench.report import Row
from drivers.memory import MemoryDriver

ROOT = Path(__file__).resolve().parent.parent
MACHINES = 10_000
ROUNDS = 5
UPLOADS = 3
GIB = 1024**3
BLOCK = 1024**2
CURL = ("curl", "-sS", "--fail-with-body", "-u", "admin:secret")
CIMI = (sys.executable, "-m", "cimi_command")


async def measure() -> list[Row]:
    """Compare both, with a gateway over the hypervisor in memory."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as home:
        return [*await _lists(Path(home) / "many"), *await _uploads(Path(home) / "none")]


async def _lists(home: Path) -> list[Row]:
    """Compare the CPU seconds of a list of 20 of many Machines with those of the same GET by curl."""
    _make(home)
    driver = MemoryDriver()
    for one in map(machine, range(MACHINES)):
        hold(driver, one)
    await fill(home / "gateway.db", MACHINES, machine)
    async with serving(home, driver) as running:
        base = f"http://{running.settings.server.listen}/cimi/"
        url = f"{base}machines?$orderby=name&$first=1&$last=20"
        await _run(base, *CIMI, "list", "-n", "20")
        costs = [(await _run(base, *CIMI, "list", "-n", "20"), await _run(base, *CURL, url)) for _ in range(ROUNDS)]
    ours, theirs = (statistics.median(figures) for figures in zip(*costs, strict=True))
    details = f"cimi {ours:.3f} s, curl {theirs:.3f} s"
    return [Row(f"cimi list, 20 of {MACHINES:,}, beyond curl", ours - theirs, 0.25, " s", details=details)]


async def _uploads(home: Path) -> list[Row]:
    """Compare the time of an upload with that by curl; both end when the image can be used."""
    _make(home)
    disk = home / "disk.raw"
    _write_disk(disk)
    times: dict[str, list[float]] = {"cimi": [], "curl": []}
    for number in range(UPLOADS):
        for name in ("cimi", "curl")[:: 1 if number % 2 else -1]:
            times[name].append(await _upload(home / f"{name}{number}", name, disk))
    ours, theirs = statistics.median(times["cimi"]), statistics.median(times["curl"])
    details = f"cimi {ours:.2f} s, curl {theirs:.2f} s"
    return [Row("upload of 1 GiB by cimi against curl -T", ours / theirs, 1.2, details=details)]


async def _upload(home: Path, name: str, disk: Path) -> float:
    """Return the seconds of an upload to a gateway of its own, which keeps the bytes in memory."""
    _make(home)
    async with serving(home, MemoryDriver()) as running:
        base = f"http://{running.settings.server.listen}/cimi/"
        began = time.perf_counter()
        if name == "cimi":
            await _run(base, *CIMI, "image", "upload", str(disk))
        else:
            await _by_curl(base, disk)
        return time.perf_counter() - began


async def _by_curl(base: str, disk: Path) -> None:
    announced = json.dumps({"name": "disk", "size": GIB})
    made = await _said(*CURL, "-H", "Content-Type: application/json", "-d", announced, f"{base}machineImages")
    target = json.loads(made)["id"] + "/upload"
    octets = ("-H", "Content-Type: application/octet-stream", "-H", "Prefer: wait=60")
    await _said(*CURL, *octets, "-T", str(disk), target)


async def _run(base: str, *command: str) -> float:
    """Return the CPU seconds of a command. Raises SystemExit when it fails."""
    before = _spent()
    await _said(*command, CIMI_URL=base, CIMI_USER="admin", CIMI_PASSWORD="secret")
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _said(*command: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, "PYTHONPATH": str(ROOT / "client"), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {err.decode()}{out.decode()[:500]}")
    return out.decode()


def _make(home: Path) -> None:
    home.mkdir()


def _write_disk(path: Path) -> None:
    """Write 1 GiB of bytes that mean something, with a boot sector."""
    block = os.urandom(BLOCK)
    with path.open("wb") as file:
        file.write(block[:510] + b"\x55\xaa" + block[512:])
        for _ in range(GIB // BLOCK - 1):
            file.write(block)
