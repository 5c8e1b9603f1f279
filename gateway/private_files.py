"""Files with secrets, which others on the host must not read: keys of certificate and store, and the users file."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from gateway.config import ConfigError, Settings

TOO_MUCH = stat.S_IWGRP | stat.S_IRWXO
"""The rights of nobody but the owner: others have none at all, and the group, which is the gateway's, only reads."""


class ExposedFile(ConfigError):
    """A file with secrets may be read by everybody, or written by others than its owner."""


def demand_private(path: Path) -> None:
    """Raise ExposedFile when the file may be read by everybody or written by a group.

    A file that is not there raises nothing.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & TOO_MUCH:
        may = "read" if mode & stat.S_IROTH else "change or use"
        raise ExposedFile(f"{path} has mode {mode:04o}: others than its owner may {may} it; chmod 0640 {path}")


def private_files(settings: Settings) -> tuple[Path, ...]:
    """Return the files of this configuration that must be private."""
    store = settings.store
    names = (settings.auth.users_file, settings.server.tls_key, store.key, *store.former_keys)
    own = (own_key(Path(store.path)),) if store.path else ()
    return (*(Path(name) for name in names if name), *own)


def own_key(store: Path) -> Path:
    """Return the file beside the database that the first start makes."""
    return store.with_name(store.name + ".key")


def make_private(path: Path) -> None:
    """Make the file where there is none, and its owner's alone before anything is written to it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def write_private(path: Path, content: bytes, own: Callable[[Path], None] | None = None) -> None:
    """Replace a file at once by one that its owner alone may read, whole on disk before it has its name.

    ``own`` gives the new file to others before it has its name.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if own is not None:
            own(Path(name))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def demand_all_private(settings: Settings) -> None:
    """Raise ExposedFile for the first file with secrets that is not private."""
    for path in private_files(settings):
        demand_private(path)
