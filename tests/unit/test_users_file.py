"""The users file under several hands at once: no change of one is lost by that of another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import users
from gateway.users import User, UsersError, changing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "users"


def test_who_changes_the_file_waits_for_who_does_so_already(path: Path) -> None:
    begun = threading.Event()

    def add(name: str) -> None:
        begun.set()
        with changing(path) as entries:
            entries[name] = User(name, "viewer", "x")

    with ThreadPoolExecutor() as threads:
        with changing(path) as entries:
            other = threads.submit(add, "bob")
            begun.wait()
            entries["ann"] = User("ann", "admin", "x")
        other.result()
    assert sorted(users.read(path)) == ["ann", "bob"]


def test_many_at_once_lose_nothing(path: Path) -> None:
    def add(number: int) -> None:
        with changing(path) as entries:
            entries[f"u{number}"] = User(f"u{number}", "viewer", "x")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(add, range(40)))
    assert len(users.read(path)) == 40


def test_a_change_that_fails_writes_nothing_and_holds_up_nobody(path: Path) -> None:
    def fail() -> None:
        with changing(path) as entries:
            entries["ann"] = User("ann", "admin", "x")
            raise UsersError("no")

    with pytest.raises(UsersError, match="no"):
        fail()
    with changing(path) as entries:
        assert entries == {}


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsersError, match="cannot be used"), changing(tmp_path / "file" / "users"):
        pass
