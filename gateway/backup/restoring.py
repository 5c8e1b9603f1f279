"""Restoring a backup while the gateway is stopped: all of it is checked first, and what was there is kept aside."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gateway import clock
from gateway.backup import archive
from gateway.backup.contents import CONFIGURATION, SETTINGS, STORE, parts_of
from gateway.backup.errors import BackupError
from gateway.config import Settings, load
from gateway.store import schema

UNPACKED_IN = "/var/tmp"  # noqa: S108 - mkdtemp makes a directory of its own there
INTERRUPTED = {
    "code": 10500,
    "message": "a backup was restored that was made in the middle of it",
    "left": True,
}
"""The outcome of Jobs that had not ended: they only settle. To go on, or to undo, would change what has come since."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A restore: what was put back, what was left as it is, and where what was there before is now."""

    manifest: archive.Manifest
    files: tuple[Path, ...]
    left: tuple[Path, ...]
    """Settings that are there: the backup has others, which were not taken."""
    unplaced: tuple[str, ...]
    """Files of the backup for which the configuration has no place."""
    aside: tuple[Path, ...]
    interrupted: int
    """Jobs that had not ended when the backup was made."""


def check(path: Path, passphrase: str | None = None) -> archive.Manifest:
    """Return the manifest of a backup that is whole and that this version can use. Raises BackupError."""
    with _unpacking() as directory:
        return _checked(path, directory, passphrase)[0]


def restore(config: Path, path: Path, passphrase: str | None = None, *, configuration: bool = False) -> Restored:
    """Put the files of a backup where the configuration has them; the settings only when told, or where there are none.

    Raises BackupError or ConfigError for a backup that cannot be used, and StoreError while the gateway runs; nothing
    has changed then.
    """
    with _unpacking() as directory:
        manifest, files = _checked(path, directory, passphrase)
        settings = _settings(config, files, configuration)
        with _held(Path(settings.store.path)):
            interrupted = _interrupt_jobs(files[STORE])
            parts = [part for part in parts_of(settings) if part.name in files]
            put = [part for part in parts if configuration or part.name not in SETTINGS or not part.path.exists()]
            aside = _keep_aside([part.path for part in put], Path(settings.store.path))
            modes = {entry.name: entry.mode for entry in manifest.files}
            for part in put:
                _place(files[part.name], part.path, modes[part.name])
    left = tuple(part.path for part in parts if part not in put)
    unplaced = tuple(sorted({*files} - {part.name for part in parts}))
    return Restored(manifest, tuple(part.path for part in put), left, unplaced, aside, interrupted)


@contextlib.contextmanager
def _unpacking() -> Iterator[Path]:
    """Yield an empty directory on a disk, not in memory, that nobody else may read."""
    with tempfile.TemporaryDirectory(dir=UNPACKED_IN, prefix="cimi-gateway-") as directory:
        yield Path(directory)


@contextlib.contextmanager
def _held(store: Path) -> Iterator[None]:
    """Keep every gateway from the store while the block runs. Raises StoreError where one has it."""
    with schema.lock(store) as handle:
        directory = store.parent.stat()
        if os.geteuid() == 0:
            # The service, which opens it next, is somebody else.
            os.fchown(handle.fileno(), directory.st_uid, directory.st_gid)
        yield


def _settings(config: Path, files: dict[str, Path], configuration: bool) -> Settings:
    """Return the settings by which files are placed: the backup's own where its configuration is taken."""
    if config.exists() and not configuration:
        return load(config)
    if CONFIGURATION not in files:
        raise BackupError(f"{config} does not exist, and the backup has no configuration")
    config.parent.mkdir(parents=True, exist_ok=True)
    # Read from its own directory, which relative paths are relative to.
    with tempfile.NamedTemporaryFile(dir=config.parent, prefix=f".{config.name}.") as file:
        file.write(files[CONFIGURATION].read_bytes())
        file.flush()
        return replace(load(Path(file.name)), path=config)


def _checked(path: Path, directory: Path, passphrase: str | None) -> tuple[archive.Manifest, dict[str, Path]]:
    """Return the manifest and the files of a backup, unpacked into the directory."""
    with archive.opened(path, passphrase) as reading:
        manifest = reading.manifest
        newest = len(schema.migrations())
        if manifest.store_version > newest:
            raise BackupError(
                f"{path} is of version {manifest.store_version} of the store, made by cimi-gateway {manifest.gateway}; "
                f"this one knows up to {newest}: upgrade it first"
            )
        files = reading.put_into(directory)
    if STORE not in files:
        raise BackupError(f"{path} has no store in it")
    _demand_whole(path, files[STORE])
    return manifest, files


def _demand_whole(path: Path, store: Path) -> None:
    try:
        with contextlib.closing(sqlite3.connect(f"file:{store}?immutable=1", uri=True)) as connection:
            (word,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        word = str(error)
    if word != "ok":
        raise BackupError(f"the store in {path} is damaged: {word}")


def _interrupt_jobs(store: Path) -> int:
    """Have the Jobs that had not ended end at the gateway's start, and return how many they are."""
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        sql = "UPDATE plans SET phase = 'settle', outcome = ?"
        return connection.execute(sql, (json.dumps(INTERRUPTED),)).rowcount


def _keep_aside(paths: Iterable[Path], store: Path) -> tuple[Path, ...]:
    """Give what is there another name beside its own, and return these names."""
    moment = f"before-restore-{clock.now():%Y%m%dT%H%M%S}"
    names = {path: path.with_name(f"{path.name}.{moment}") for path in paths if path.exists()}
    for path, aside in names.items():
        os.link(path, aside)
    # The old database's log would be taken for the new one's: it goes before that one comes.
    for end in ("-wal", "-shm"):
        log = store.with_name(store.name + end)
        if log.exists():
            log.rename(store.with_name(f"{store.name}.{moment}{end}"))
    return tuple(names.values())


def _place(file: Path, path: Path, mode: int) -> None:
    """Put a file in its place, whole on disk, with the owner of what was there, or else of its directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model = (path if path.exists() else path.parent).stat()
    new = path.with_name(f".{path.name}.restored")
    with file.open("rb") as source, new.open("wb") as target:
        os.fchmod(target.fileno(), mode)
        if os.geteuid() == 0:
            os.fchown(target.fileno(), model.st_uid, model.st_gid)
        while piece := source.read(archive.PIECE):
            target.write(piece)
        target.flush()
        os.fsync(target.fileno())
    new.replace(path)
