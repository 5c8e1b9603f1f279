"""A package that is sent gives its place in the staging directory back, whatever fails when it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import NoSpace
from gateway.orchestration.common.staging import Staging
from gateway.orchestration.systems.packages.uploads import PackageUpload
from tests.patience import PATIENCE

MIB = 1024**2


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


@pytest.fixture
def upload(staging: Staging) -> PackageUpload:
    """An upload of which some has come."""
    room: Any = SimpleNamespace(images=SimpleNamespace(staging=staging, largest_file=1000))
    upload = PackageUpload(room, 10)
    upload._file._open()
    staging.held.add(upload.folder.name)
    staging.coming[upload.folder.name] = 10
    return upload


class Asked:
    """In the place of the store: how often its write transaction is taken."""

    def __init__(self) -> None:
        self.times = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        self.times += 1
        yield

    async def fetch(self, _sql: str) -> list[Any]:
        return []


def endless_disk(staging: Staging, monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """A disk that has so many bytes and is never written to."""
    left = [free]

    async def what_is_left() -> int:
        return left[0]

    def put(_descriptor: int, piece: bytes) -> None:
        left[0] -= len(piece)

    monkeypatch.setattr(staging, "free", what_is_left)
    monkeypatch.setattr(staging, "put_blocking", put)


async def test_one_of_unknown_length_asks_for_more_room_the_more_has_come(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless_disk(staging, monkeypatch, 2**50)
    store, most, piece = Asked(), 0, bytes(4 * MIB)
    room: Any = SimpleNamespace(store=store, images=SimpleNamespace(staging=staging, largest_file=2**50))
    async with PackageUpload(room, None) as upload:
        for _ in range(1024):
            await upload.write(piece)
            most = max(most, staging.coming[upload.folder.name])
    assert (store.times < 20, most <= 1024 * MIB) == (True, True), (store.times, most)


async def test_one_of_unknown_length_takes_what_is_there_to_the_last_step(
    staging: Staging, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless_disk(staging, monkeypatch, 100 * MIB)
    room: Any = SimpleNamespace(store=Asked(), images=SimpleNamespace(staging=staging, largest_file=2**50))
    async with PackageUpload(room, None) as upload:
        for _ in range(100):
            await upload.write(bytes(MIB))
        with pytest.raises(NoSpace):
            await upload.write(bytes(MIB))
    assert (staging.held, staging.coming) == (set(), {})


@pytest.mark.parametrize(("module", "name"), [(os, "close"), (shutil, "rmtree")])
async def test_its_place_is_given_back_when_its_end_fails(
    staging: Staging, upload: PackageUpload, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    does, descriptor = getattr(module, name), upload._file._descriptor

    def fails(what: object, *others: Any) -> None:
        if what in (descriptor, upload.folder):
            raise OSError("broken")
        does(what, *others)

    with monkeypatch.context() as failing:
        failing.setattr(module, name, fails)
        with pytest.raises(OSError, match="broken"):
            await upload.__aexit__(None, None, None)
    assert (staging.held, staging.coming) == (set(), {})
    assert upload.folder.exists() == (name == "rmtree")


async def test_its_place_is_given_back_when_its_end_is_cancelled(
    staging: Staging, upload: PackageUpload, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on, remove = threading.Event(), threading.Event(), shutil.rmtree

    def slowly(*arguments: Any) -> None:
        began.set()
        goes_on.wait(PATIENCE)
        remove(*arguments)

    monkeypatch.setattr(shutil, "rmtree", slowly)
    end = asyncio.create_task(upload.__aexit__(None, None, None))
    try:
        assert await asyncio.to_thread(began.wait, PATIENCE)
        end.cancel()
        with pytest.raises(asyncio.CancelledError):
            await end
        assert (staging.held, staging.coming) == (set(), {})
    finally:
        goes_on.set()
