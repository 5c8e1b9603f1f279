"""A read by a token against the same by a remembered password: what each costs a gateway of CPU time.

Both are of one gateway, and take turns; the ratio is the median of the rounds.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import aiohttp

from bench import wrk
from bench.private import machine
from bench.quiet import cpu_seconds, quiet
from bench.reads import SECONDS, Server, stored
from bench.report import Row
from demo.basic_auth import basic_auth

MACHINES = 100
ROUNDS = 9
URL = f"/cimi/{machine(1).path}"


async def measure(rounds: int = ROUNDS) -> list[Row]:
    with tempfile.TemporaryDirectory() as home:
        async with stored(Path(home), MACHINES) as gateway:
            await quiet(gateway[1])
            password = basic_auth("admin", "secret")
            token = f"Bearer {await _token(gateway[0], password)}"
            costs = [await _round(gateway, (token, password), first=number % 2) for number in range(rounds)]
    ratio = statistics.median(by_password / by_token for by_token, by_password in costs)
    by_token, by_password = (statistics.median(side) for side in zip(*costs, strict=True))
    details = f"CPU {by_token:.1f} to {by_password:.1f} us"
    what = "GET with a token, against with a remembered password"
    return [Row(what, ratio, 1.0, least=True, details=details)]


async def _token(gateway: str, password: str) -> str:
    headers = {"Authorization": password}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{gateway}/cimi/tokens", json={"name": "bench"}) as answer,
    ):
        return str((await answer.json())["token"])


async def _round(gateway: Server, credentials: tuple[str, str], *, first: int) -> tuple[float, float]:
    """Return the microseconds of CPU for a request by each credential, of which ``first`` goes first."""
    costs = {}
    for credential in credentials[:: 1 if first else -1]:
        headers = {"Accept": "application/json", "Authorization": credential}
        before = cpu_seconds(gateway[1])
        load = await wrk.load(gateway[0], [URL], headers, SECONDS, 1)
        costs[credential] = (cpu_seconds(gateway[1]) - before) / load.requests * 1e6
    return costs[credentials[0]], costs[credentials[1]]
