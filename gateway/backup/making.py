"""Making a backup beside a gateway that runs: the store as of one moment, by SQLite's own backup."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from gateway import clock
from gateway.backup import archive
from gateway.backup.contents import STORE, parts_of
from gateway.backup.errors import BackupError
from gateway.clock import timestamp
from gateway.config import Settings


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that was made: its manifest, and the bytes of its file."""

    manifest: archive.Manifest
    size: int


def back_up(settings: Settings, target: Path, passphrase: str | None = None) -> Made:
    """Write a backup to a file that is not there yet, which root or the service's user alone may read.

    Nothing is left of one that fails. Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} exists already; give another name")
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as directory:
            whole = Path(directory) / "whole"
            manifest = _write(settings, Path(directory), whole, passphrase)
            size = whole.stat().st_size
            # Unlike a rename it replaces nothing that has come there meanwhile.
            os.link(whole, target)
            _to_disk(target.parent)
    except OSError as error:
        raise BackupError(f"{target}: cannot be written: {error.strerror or error}") from None
    return Made(manifest, size)


def _write(settings: Settings, directory: Path, whole: Path, passphrase: str | None) -> archive.Manifest:
    parts = {part.name: part.path for part in parts_of(settings)}
    files = {name: path for name, path in parts.items() if name != STORE and path.exists()}
    files[STORE] = directory / "store"
    store_version = _copy_store(parts[STORE], files[STORE])
    try:
        entries = tuple(archive.entry_of(name, path) for name, path in files.items())
    except OSError as error:
        raise BackupError(f"{error.filename}: cannot be read: {error.strerror}") from None
    manifest = archive.Manifest(archive.FORMAT, timestamp(clock.now()), version("cimi-gateway"), store_version, entries)
    with whole.open("xb") as file:
        os.fchmod(file.fileno(), 0o600)
        archive.write(file, manifest, files, passphrase)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def _copy_store(path: Path, copy: Path) -> int:
    """Copy the database as of one moment, and return the version of its schema; whoever writes it is not held up."""
    if not path.exists():
        raise BackupError(f"{path} does not exist: the gateway has not run yet")
    try:
        with (
            contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as source,
            contextlib.closing(sqlite3.connect(copy)) as target,
        ):
            # In one piece: in several it would begin anew with each change that the gateway makes meanwhile.
            source.backup(target)
            return int(target.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise BackupError(f"{path}: cannot be copied: {error}") from None


def _to_disk(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
