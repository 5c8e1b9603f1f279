"""A package that is sent gives its place in the staging directory back, whatever fails when it ends."""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.orchestration.common.staging import Staging
from gateway.orchestration.systems.packages.uploads import PackageUpload
from tests.patience import PATIENCE


@pytest.fixture
def staging(tmp_path: Path) -> Staging:
    return Staging(tmp_path / "staging")


@pytest.fixture
def upload(staging: Staging) -> Iterator[PackageUpload]:
    """An upload of which some has come."""
    room: Any = SimpleNamespace(images=SimpleNamespace(staging=staging, largest_file=1000))
    upload = PackageUpload(room, 10)
    upload._descriptor = upload._open()
    staging.held.add(upload.folder.name)
    staging.coming[upload.folder.name] = 10
    return upload


@pytest.mark.parametrize(("module", "name"), [(os, "close"), (shutil, "rmtree")])
async def test_its_place_is_given_back_when_its_end_fails(
    staging: Staging, upload: PackageUpload, monkeypatch: pytest.MonkeyPatch, module: Any, name: str
) -> None:
    does = getattr(module, name)

    def fails(what: object, *others: Any) -> None:
        if what in (upload._descriptor, upload.folder):
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
