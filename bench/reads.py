"""Reads of a gateway with 10,000 Machines under the load of wrk, against a bare aiohttp handler of the same bytes.

Both are processes of their own, and take turns, each first in turn. The ratio is that of the CPU time that a request
costs them, the median of the rounds: on a machine that does nothing else it is the ratio of their rates, which stand
beside it, and on a busy one it says the same. All that the gateway does besides is counted against it.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench import wrk
from bench.private import free_port, machine
from bench.quiet import cpu_seconds, quiet, resident_megabytes
from bench.report import Row
from demo.basic_auth import basic_auth

STORED = 10_000
ROUNDS = 5
SECONDS = 2
AT_ONCE = 8
ONE = (machine(1).path,)
PAGE = "machines?$last=20"
FILTERED = "machines?$filter=cpu=2&$last=20"
EXPANDED = "machines?$expand=disks,networkInterfaces&$last=20"
MACHINES = tuple(machine(number).path for number in range(STORED))
MEMORY = 160.0


@dataclass(frozen=True)
class Read:
    """A row of the table: what is read, in which format, and which share of the bare handler's rate it must reach."""

    what: str
    media: str
    urls: tuple[str, ...]
    bound: float
    unchanged: bool = False
    """The client has it already, and says so by If-None-Match."""

    @property
    def name(self) -> str:
        """The row's name, which is that of its file for the bare handler, too."""
        return f"{self.what}, {self.media}"


Server = tuple[str, int]
"""Its URL and its process."""
TABLE = (
    ("one Machine, always the same", ONE, 0.65),
    (f"a Machine at random of {STORED:,}", MACHINES, 0.45),
    ("page of 20", (PAGE,), 0.3),
    ("page of 20, filtered", (FILTERED,), 0.3),
    ("page of 20, two references expanded", (EXPANDED,), 0.12),
)
READS = (
    *(Read(what, media, urls, bound) for what, urls, bound in TABLE for media in ("json", "xml")),
    Read("one Machine, If-None-Match hit", "json", ONE, 0.75, unchanged=True),
)


@dataclass
class Figures:
    """The rounds of one row."""

    cpu: list[tuple[float, float]] = field(default_factory=list)
    """Microseconds of CPU for each request, the gateway's and the bare handler's."""
    rates: list[tuple[float, float]] = field(default_factory=list)
    tails: list[float] = field(default_factory=list)
    """The 99th percentile of the time to answer, against the median."""


async def measure(rounds: int = ROUNDS, reads: Sequence[Read] = READS) -> list[Row]:
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        gateway = await stack.enter_async_context(stored(home, STORED))
        await quiet(gateway[1])
        bodies = home / "bodies"
        bodies.mkdir()
        headers = {read: await _asked(gateway[0], read, bodies) for read in reads}
        bare = await stack.enter_async_context(_bare(bodies))
        figures = {read: Figures() for read in reads}
        for number in range(rounds):
            for read in reads:
                await _round((gateway, bare), read, headers[read], figures[read], first=number % 2)
        memory = resident_megabytes(gateway[1])
    rows = [row for read in reads for row in _rows(read, figures[read])]
    return [*rows, Row(f"resident memory with {STORED:,} machines after all of this", memory, MEMORY, " MB")]


def _rows(read: Read, figures: Figures) -> list[Row]:
    rates = [statistics.median(side) for side in zip(*figures.rates, strict=True)]
    cpu = [statistics.median(side) for side in zip(*figures.cpu, strict=True)]
    wall = statistics.median(ours / theirs for ours, theirs in figures.rates)
    ratio = statistics.median(theirs / ours for ours, theirs in figures.cpu)
    details = f"CPU {cpu[0]:.0f} to {cpu[1]:.0f} us; {rates[0]:,.0f} to {rates[1]:,.0f} /s, which is {wall:.2f}"
    rows = [Row(f"{read.name}, against a bare handler", ratio, read.bound, least=True, details=details)]
    if len(read.urls) > 1:
        rows.append(Row(f"{read.name}: p99 against the median", statistics.median(figures.tails), 3.0))
    return rows


async def _round(
    sides: tuple[Server, Server], read: Read, headers: dict[str, str], figures: Figures, *, first: int
) -> None:
    """Load both sides, one after the other; the gateway's first where ``first`` says so."""
    targets = {sides[0]: [f"/cimi/{url}" for url in read.urls], sides[1]: [f"/{_file(read)}"]}
    loads, cpu = {}, {}
    for side in sides[:: 1 if first else -1]:
        before = cpu_seconds(side[1])
        loads[side] = await wrk.load(side[0], targets[side], headers, SECONDS, len(figures.rates) + 1)
        cpu[side] = (cpu_seconds(side[1]) - before) / loads[side].requests * 1e6
    ours, theirs = sides
    figures.cpu.append((cpu[ours], cpu[theirs]))
    figures.rates.append((loads[ours].rate, loads[theirs].rate))
    figures.tails.append(loads[ours].percentiles[99] / loads[ours].percentiles[50])


async def _asked(gateway: str, read: Read, bodies: Path) -> dict[str, str]:
    """Return the headers of a read's requests, and put down what it is answered with, for the bare handler.

    Everything is asked for once, so that the load finds what is asked for again and again.
    """
    headers = {"Accept": f"application/{read.media}", "Authorization": basic_auth("admin", "secret")}
    async with aiohttp.ClientSession(headers=headers) as session:
        urls = iter(read.urls)

        async def some() -> tuple[bytes, str]:
            body, tag = b"", ""
            for url in urls:
                async with session.get(f"{gateway}/cimi/{url}") as answer:
                    body, tag = await answer.read(), answer.headers["ETag"]
                    assert answer.status == 200, body
            return body, tag

        answers = await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    body, tag = max(answers)
    if read.unchanged:
        headers["If-None-Match"], body = tag, b""
    (bodies / _file(read)).write_bytes(body)
    return headers


def _file(read: Read) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in read.what) + f".{read.media}"


@asynccontextmanager
async def stored(home: Path, count: int) -> AsyncIterator[Server]:
    """Serve a gateway with so many Machines in a process of its own; yield its URL and its process."""
    async with _process("bench.stored", str(home), str(count)) as (line, pid):
        yield f"http://{line}", pid


@asynccontextmanager
async def _bare(bodies: Path) -> AsyncIterator[Server]:
    port = free_port()
    async with _process("bench.bare", str(port), str(bodies)) as (_, pid):
        yield f"http://127.0.0.1:{port}", pid


@asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[tuple[str, int]]:
    """Run a module of ours that says one line when it serves; yield the line and its process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode().strip()
        if not line:
            raise SystemExit(f"{module} did not start")
        yield line, process.pid
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
