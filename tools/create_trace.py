"""Trace one Machine create: how many files it passes, and how often it changes from one file to another.

``python -m tools.create_trace`` prints both with the limits of ``[tool.house.create_trace]`` in pyproject.toml. With
``files`` or ``changes`` it also prints the files, or the pairs between which it changes. A limit only ever moves down.

Counted are the calls of this program's functions in the tasks of the request and of its Job, over the hypervisor in
memory: each function where it begins, and not again where it goes on after an ``await`` or a ``yield``. Loops, and
reactions to what the hypervisor tells, go on beside the create and are left out; so is the work of other threads.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import aiohttp
import structlog

from bench.private import settings
from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway

ROOT = Path(__file__).resolve().parent.parent
LIMITS: dict[str, int] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["house"]["create_trace"]
TREES = (f"{ROOT}/gateway/", f"{ROOT}/drivers/")
BESIDE = ("Loop._run", "Supervision._react")
"""Coroutines of the tasks that go on beside requests and Jobs."""
JOB = "JobRunner._run"
TELLS = "MemoryState.emit"
"""The function that calls whoever listens to the hypervisor; libvirt does that on a thread of its own."""
IMAGE = (bytes(510) + b"\x55\xaa").ljust(65_536, b"\0")
"""A raw image: a boot sector, and nothing to boot."""
AUTHORIZATION = {"Authorization": basic_auth("admin", "secret")}


class Trace:
    """The calls in the tasks that begin while the trace is on, but for those of loops and reactions."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        """The number of calls by the file of the function."""
        self.changes: Counter[tuple[str, str]] = Counter()
        """How often a call in the second file came next after one in the first."""
        self._threads: dict[asyncio.Task[Any], str] = {}
        """The thread of work that each task belongs to: the request's, or the Job's."""
        self._last: dict[str, str] = {}
        """The file of the last call in each thread of work."""
        self._begun: set[FrameType] = set()
        self._telling: FrameType | None = None
        """The frame in which the hypervisor tells something."""

    async def trace(self, work: Coroutine[Any, Any, None]) -> None:
        """Trace while the work is done, and until the Job that it began has ended."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._task)
        sys.setprofile(self._called)
        try:
            await work
            while jobs := [task for task, thread in self._threads.items() if thread == "Job" and not task.done()]:
                await asyncio.wait(jobs)
        finally:
            sys.setprofile(None)
            loop.set_task_factory(None)

    def _task(self, loop: asyncio.AbstractEventLoop, work: Any, **rest: Any) -> asyncio.Task[Any]:
        """Return a new task, which belongs to the thread of work that it was begun in."""
        task = asyncio.Task(work, loop=loop, **rest)
        name, parent = work.__qualname__, asyncio.current_task(loop)
        if name == JOB:
            self._threads[task] = "Job"
        elif name not in BESIDE and (parent is None or parent in self._threads):
            self._threads[task] = self._threads[parent] if parent is not None else "request"
        return task

    def _called(self, frame: FrameType, event: str, _argument: object) -> None:
        if frame is self._telling and event == "return":
            self._telling = None
        elif event == "call" and self._telling is None and frame.f_code.co_filename.startswith(TREES):
            self._telling = frame if frame.f_code.co_qualname == TELLS else None
            if frame not in self._begun:
                self._count(frame)

    def _count(self, frame: FrameType) -> None:
        task = asyncio.current_task()
        thread = self._threads.get(task) if task is not None else None
        if thread is None:
            return
        self._begun.add(frame)
        file = str(Path(frame.f_code.co_filename).relative_to(ROOT))
        self.files[file] += 1
        last = self._last.setdefault(thread, file)
        if last != file:
            self.changes[last, file] += 1
            self._last[thread] = file


async def _create(session: aiohttp.ClientSession, collection: str, document: dict[str, Any]) -> str:
    """Return the URL of the resource that the document makes in a collection of the gateway."""
    async with session.post(f"cimi/{collection}", json=document, headers={"Prefer": "wait=60"}) as answer:
        assert answer.status == 201, await answer.text()
        return answer.headers["Location"]


def _session(running: Gateway) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(f"http://{running.settings.server.listen}", headers=AUTHORIZATION)


async def _second_create(home: Path) -> Trace:
    """Return the trace of a create of a Machine with two disks, the second one by the same template.

    The first one has filled the caches.
    """
    image = home / "guest.raw"
    image.write_bytes(IMAGE)
    images = config.ImageSettings([str(home)], staging=str(home / "staging"))
    running = Gateway(replace(settings(home), images=images), {"local": MemoryDriver()})
    await running.start()
    try:
        async with _session(running) as session:
            image_url = await _create(session, "machineImages", {"name": "guest", "imageLocation": image.as_uri()})
            template = {
                "name": "template",
                "initialState": "STARTED",
                "machineConfig": {"cpu": 1, "memory": 131_072, "disks": [{"capacity": 40_000}]},
                "machineImage": {"href": image_url},
            }
            reference = {"href": await _create(session, "machineTemplates", template)}
            await _create(session, "machines", {"name": "first", "machineTemplate": reference})
        trace = Trace()

        async def create() -> None:
            # A new session, since a connection that was open before would have its task before the trace.
            async with _session(running) as session:
                await _create(session, "machines", {"name": "second", "machineTemplate": reference})

        await trace.trace(create())
        return trace
    finally:
        await running.stop()


def main(wanted: list[str]) -> int:
    """Print each figure with its limit, and the places of the wanted one; return 1 when one is beyond its limit."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory() as home:
        trace = asyncio.run(_second_create(Path(home)))
    values = {"files": len(trace.files), "changes": trace.changes.total()}
    broken = [name for name, limit in LIMITS.items() if values[name] > limit]
    for name, limit in LIMITS.items():
        print(f"{'BROKEN ' if name in broken else ''}{name} of a Machine create: {values[name]} ({limit})")
    if "files" in wanted:
        print(*(f"{calls:5} {file}" for file, calls in sorted(trace.files.items())), sep="\n")
    if "changes" in wanted:
        print(*(f"{number:5} {one} -> {other}" for (one, other), number in trace.changes.most_common()), sep="\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
