"""Files with secrets: written at once, or not at all, and for their owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway import users
from gateway.private_files import write_private
from gateway.store.keyring import keyring
from gateway.users import User


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    write_private(tmp_path / "a", b"x")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert (names(tmp_path), (tmp_path / "a").read_bytes()) == (["a"], b"x")


@pytest.mark.parametrize("kind", ["users", "key"])
def test_a_file_that_cannot_be_written_whole_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "users"
    users.write(path, {"ann": User("ann", "admin", "x")})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as once:
        once.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            users.write(path, {}) if kind == "users" else keyring(tmp_path / "gateway.db")
    assert (names(tmp_path), list(users.read(path))) == (["users"], ["ann"])
