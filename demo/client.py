"""The demo's client of the gateway: requests, Jobs with a progress bar, and where the demo tells of both."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

ACTION = "http://schemas.dmtf.org/cimi/1/action/"
out = Console(highlight=False)


class Client:
    """User of the demo's gateway; what is refused ends the demo."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def call(self, method: str, url: str, document: dict[str, Any] | None = None) -> aiohttp.ClientResponse:
        """Send a request, and return its answer. Raises SystemExit when it is refused."""
        answer = await self._session.request(method, url, json=document, headers={"Prefer": "respond-async"})
        if answer.status >= 400:
            raise SystemExit(f"{method} {url}: {answer.status} {await answer.text()}")
        return answer

    async def get(self, url: str) -> dict[str, Any]:
        """Read a document."""
        document: dict[str, Any] = await (await self.call("GET", url)).json()
        return document

    async def follow(self, answer: aiohttp.ClientResponse, what: str) -> None:
        """Show the Job's progress as a bar until it ends."""
        columns = TextColumn("{task.description:28}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%")
        with Progress(*columns, TimeElapsedColumn(), console=out) as bars:
            bar = bars.add_task(what, total=100)
            while True:
                job = await self.get(answer.headers["CIMI-Job-URI"])
                bars.update(bar, completed=job["progress"])
                if job["state"] in ("SUCCESS", "FAILED", "STOPPED"):
                    break
                await asyncio.sleep(0.1)
        if job["state"] != "SUCCESS":
            raise SystemExit(f"{what}: {job['state']}: {job.get('statusMessage')}")

    async def act(self, machine: str, verb: str, what: str) -> None:
        """Do an action of a Machine or a System, with a progress bar."""
        answer = await self.call("POST", f"{machine}/{verb}", {"action": ACTION + verb})
        await self.follow(answer, what)
