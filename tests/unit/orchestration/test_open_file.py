"""Files that threads write: a task that is cancelled takes no descriptor away from the thread that writes for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from drivers.threads import Threads
from gateway.orchestration.common.contract import Part
from gateway.orchestration.common.open_file import OpenFile
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.images.facts import KeptImage, UploadSource
from gateway.orchestration.images.uploading import Receiver
from gateway.orchestration.systems.packages.uploads import PackageUpload
from gateway.store.model import Resource
from tests.patience import PATIENCE, eventually

Writing = Callable[[Staging], Coroutine[Any, Any, None]]


class Held:
    """In the place of a function on a thread: it waits in its first call until it may go on."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._goes_on = threading.Event()
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.failure: BaseException | None = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.begun.set()
        assert self._goes_on.wait(PATIENCE)
        try:
            return self._function(*arguments, **named)
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.ended.set()

    def let_go(self) -> None:
        self._goes_on.set()


class Store:
    """In the place of the store: one that holds nothing."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield

    async def fetch(self, _sql: str) -> list[Any]:
        return []


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


def open_below(directory: Path) -> list[str]:
    """The files in the directory that this process has open, also those that were removed."""
    paths = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            paths.append(str(entry.readlink()))
    return [path for path in paths if path.startswith(f"{directory}/")]


async def cancelled_in_the_middle(task: asyncio.Task[None], held: Held) -> None:
    """Cancel the task while its thread is held, and see that it does not end before the thread."""
    assert await asyncio.to_thread(held.begun.wait, PATIENCE)
    task.cancel()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    held.let_go()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert held.ended.is_set()


def image_of(size: int) -> Resource:
    now = datetime.now(UTC)
    image = Resource("machineImages/1", "MachineImage", "me", {"state": "CREATING"}, now, now)
    return KeptImage("local", source=UploadSource(size)).on(image)


async def upload(staging: Staging) -> None:
    async with Receiver(staging, image_of(8), Part(), 8) as receiver:
        await receiver.write(b"12345678")


async def package(staging: Staging) -> None:
    room: Any = SimpleNamespace(store=Store(), images=SimpleNamespace(staging=staging, largest_file=1000))
    async with PackageUpload(room, 8) as coming:
        await coming.write(b"12345678")


async def put_down(staging: Staging) -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield b"12345678"

    await staging.write(image_of(8), pieces(), lambda _done: None)


@pytest.mark.parametrize("writing", [upload, package, put_down])
async def test_who_is_cancelled_waits_for_the_thread_that_writes(
    staging: Staging, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(staging.put_blocking)
    monkeypatch.setattr(staging, "put_blocking", held)
    await cancelled_in_the_middle(asyncio.create_task(writing(staging)), held)
    assert held.failure is None
    await eventually(lambda: open_below(staging.directory) == [], "the file is closed")


@pytest.mark.parametrize("writing", [upload, package, put_down])
async def test_who_is_cancelled_while_the_file_is_opened_leaves_it_closed(
    staging: Staging, writing: Writing, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "package" if writing is package else "data"
    opening = os.open

    def open_held(path: Any, *arguments: Any, **named: Any) -> int:
        if Path(path).name == name:
            return int(str(held(path, *arguments, **named)))
        return opening(path, *arguments, **named)

    held = Held(opening)
    monkeypatch.setattr(os, "open", open_held)
    await cancelled_in_the_middle(asyncio.create_task(writing(staging)), held)
    await eventually(lambda: open_below(staging.directory) == [], "the file is closed")


async def test_a_call_that_has_not_begun_is_not_made_for_who_is_cancelled(tmp_path: Path) -> None:
    threads, held, made = Threads("one", 1), Held(os.getpid), list[int]()
    busy = asyncio.create_task(threads.run_whole(held))
    waiting = asyncio.create_task(threads.run_whole(made.append, 1))
    assert await asyncio.to_thread(held.begun.wait, PATIENCE)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
    held.let_go()
    await busy
    await threads.run_whole(os.getpid)
    assert made == []


async def test_what_the_work_raises_is_raised(tmp_path: Path) -> None:
    async with OpenFile(Threads("one", 1), lambda: os.open(tmp_path, os.O_RDONLY)) as file:
        with pytest.raises(OSError, match="Bad file descriptor"):
            await file.do(lambda descriptor: os.write(descriptor, b"x"))
