"""Load by wrk (a Debian package): one thread, eight connections, whatever the answer; its latencies by percentile."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 8
RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)", re.MULTILINE)
PERCENTILE = re.compile(r"^\s+([0-9]+)%\s+([0-9.]+)(us|ms|s|m)\s*$", re.MULTILINE)
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}
ASKING = """
local texts = {}
init = function()
  math.randomseed(%d)
  for line in io.lines(%s) do texts[#texts + 1] = wrk.format("GET", line) end
end
request = function() return texts[math.random(#texts)] end
"""


@dataclass(frozen=True)
class Load:
    """The outcome of a run: requests per second, and seconds by percentile."""

    rate: float
    requests: int
    percentiles: dict[int, float]


async def load(base: str, urls: Sequence[str], headers: dict[str, str], seconds: int, seed: int = 1) -> Load:
    """Ask for the URLs below ``base`` at random. Every answer has to be 200 or 304."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed; `make setup` as root installs it")
    with tempfile.TemporaryDirectory() as home:
        targets, script = Path(home) / "urls", Path(home) / "asking.lua"
        targets.write_text("".join(f"{url}\n" for url in urls))
        script.write_text(ASKING % (seed, json.dumps(str(targets))))
        words = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
        run = (
            program,
            "-t1",
            f"-c{CONNECTIONS}",
            f"-d{seconds}s",
            "--latency",
            "--timeout",
            "10s",
            "-s",
            str(script),
            *words,
            base,
        )
        process = await asyncio.create_subprocess_exec(*run, stdout=asyncio.subprocess.PIPE)
        output, _ = await process.communicate()
    return _read(output.decode())


def _read(text: str) -> Load:
    rate = RATE.search(text)
    if rate is None or "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(f"wrk tells of errors:\n{text}")
    percentiles = {int(share): float(value) * SECONDS[unit] for share, value, unit in PERCENTILE.findall(text)}
    requests = re.search(r"^\s+([0-9]+) requests in", text, re.MULTILINE)
    assert requests is not None, text
    if 99 not in percentiles or requests[1] == "0":
        raise SystemExit(f"wrk had no answers:\n{text}")
    return Load(float(rate[1]), int(requests[1]), percentiles)
