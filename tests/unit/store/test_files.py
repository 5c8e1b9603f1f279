"""The store's files: nobody else may read them at any time, and they may have any name."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.store import schema
from gateway.store.offline import OfflineStore
from gateway.store.schema import StoreError
from gateway.store.store import Store

STRANGE = "a 100%41?mode=rw#b.db"


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    """Whoever starts the gateway may let others read all files that it makes."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def modes(directory: Path) -> dict[str, int]:
    return {file.name: mode(file) for file in directory.iterdir() if file.suffix != ".lock"}


class Copied:
    """In the place of a connection: what is seen of the backup's file when its first byte is written."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.mode = 0

    def backup(self, _copy: sqlite3.Connection) -> None:
        self.mode = mode(self._target)


@pytest.mark.parametrize("left", [False, True])
def test_a_backup_is_its_owners_alone_before_anything_is_in_it(tmp_path: Path, left: bool) -> None:
    target = tmp_path / "gateway.db.before-9"
    if left:
        target.touch(0o644)
    copied = Copied(target)
    schema._back_up(copied, target)  # type: ignore[arg-type]
    assert copied.mode == 0o600


async def test_no_file_of_an_open_store_can_be_read_by_others(tmp_path: Path) -> None:
    path = tmp_path / "gateway.db"
    path.touch(0o644)
    store = await Store.open(path)
    try:
        exposed = modes(tmp_path)
        assert {name: seen for name, seen in exposed.items() if seen & 0o077} == {}
        assert "gateway.db-wal" in exposed
    finally:
        await store.close()


async def test_a_store_in_the_place_of_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(tmp_path)


async def test_a_store_of_any_name_is_read_beside_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / STRANGE
    store = await Store.open(path)
    try:
        with OfflineStore.open(path) as offline:
            assert list(offline.newest_jobs(1)) == []
    finally:
        await store.close()


def test_a_store_that_is_missing_is_not_made_by_reading_it(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.Error), OfflineStore.open(tmp_path / STRANGE):
        pass
    assert list(tmp_path.iterdir()) == []
