"""The destination of an export: below the user's own directory, and never in the place of what is there.

Only who says ``replace`` replaces a package, and only one that they might have put there themselves.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.exports import Exports
from gateway.orchestration.systems.packages.notes import FileIdentity

WHERE = "destination"
REPLACE = "replace"


@dataclass(frozen=True, slots=True)
class Destination:
    """The place that a package goes to. ``directory``: a directory of files instead of an archive."""

    path: Path
    directory: bool
    replace: bool
    """A package that is there is replaced."""


def destination_of(exports: Exports, caller: Caller, given: str, *, replace: bool) -> Destination:
    """Return what a ``destination`` means; blocks. Raises Invalid and Conflict, naming it.

    A relative one is in the user's own directory, which is made when it is not there yet.
    """
    text = _path_of(given)
    path = Path(text)
    own = exports.own(caller)
    if own is None:
        raise Invalid("packages may go nowhere here ([images] export_directories); give none, and download it", WHERE)
    if ".." in path.parts or "\0" in text:
        raise Invalid("must be a path without '..'", WHERE)
    path = path if path.is_absolute() else own / path
    if not exports.writable(caller, path.parent):
        raise Invalid(f"must be below {own}, which is yours; a name without a directory will do", WHERE)
    if exports.is_own(caller, path.parent):
        path.parent.mkdir(mode=0o750, exist_ok=True)
    if not path.parent.is_dir():
        raise Invalid(f"there is no directory {path.parent}", WHERE)
    if not text.endswith("/") and path.suffix != ".ova":
        raise Invalid("must end in .ova, or in / for a directory of files", WHERE)
    destination = Destination(path, text.endswith("/"), replace)
    demand_free(destination)
    return destination


def _path_of(given: str) -> str:
    parts = urlsplit(given)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost"):
        words = f"the scheme {parts.scheme[:20]!r} is not accepted; use file:///path/name.ova, or give none"
        raise Invalid(f"{words} and read the package at the answer's Location", WHERE)
    return unquote(parts.path) if parts.scheme else given


def demand_free(destination: Destination) -> None:
    """Raise Conflict for what is there and is not to be replaced, or holds more than one package."""
    path = destination.path
    if path.is_dir() and not is_package(path):
        raise Conflict(f"{WHERE}: {path.name} is there, and holds more than one package; choose another name")
    empty = path.is_dir() and not path.is_symlink() and not any(path.iterdir())
    if os.path.lexists(path) and not empty and not destination.replace:
        raise _taken(path)


def _taken(path: Path) -> Conflict:
    return Conflict(
        f'{WHERE}: {path.name} is there already; choose another name, or say "properties": {{"{REPLACE}": "true"}}'
    )


def put_in_place(part: Path, destination: Destination) -> None:
    """Give a whole package its name, at once. Raises Conflict for what has come there meanwhile."""
    path = destination.path
    if destination.replace:
        _replace(part, path)
        return
    try:
        _name(part, path)
    except (FileExistsError, NotADirectoryError):
        raise _taken(path) from None
    except OSError as error:
        raise _taken(path) if path.is_dir() else error from None


def _replace(part: Path, path: Path) -> None:
    if part.is_dir():
        replace_directory(part, path)
    else:
        part.replace(path)


def _name(part: Path, path: Path) -> None:
    """Give a package its name by a link, which never replaces anything as a rename would.

    A look has to do where the file system has no links.
    """
    if part.is_dir():
        # It takes the place of an empty directory, and of nothing else.
        part.rename(path)
        return
    try:
        os.link(part, path)
    except PermissionError:
        if os.path.lexists(path):
            raise FileExistsError from None
        part.rename(path)
    else:
        part.unlink()


def identity(path: Path) -> FileIdentity | None:
    """Return what tells a file or directory from any other that could stand at its path; None when it is not there."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    return FileIdentity(facts.st_dev, facts.st_ino, facts.st_mtime_ns)


def replace_directory(part: Path, path: Path) -> None:
    """Put a new directory in the place of an old one, which goes then. Raises Conflict for what is no package alone."""
    old = set_aside(part)
    if path.is_dir():
        if not is_package(path):
            raise Conflict(f"{WHERE}: {path.name} holds more than one package by now; choose another name")
        shutil.rmtree(old, ignore_errors=True)
        path.rename(old)
    part.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def set_aside(part: Path) -> Path:
    """Return where the old directory is until the new one, which is written at ``part``, has its name."""
    return part.with_name(f"{part.name}.old")


def is_package(directory: Path) -> bool:
    """Return whether a directory holds nothing but the files of one package, and so may be replaced."""
    entries = list(directory.iterdir())
    stems = {entry.stem for entry in entries if entry.suffix == ".ovf"}
    if len(stems) != 1 or directory.is_symlink():
        return not entries
    [name] = stems
    ours = {f"{name}.ovf", f"{name}.mf"}
    disk = f"{name}-disk"
    return all(
        entry.is_file() and (entry.name in ours or (entry.name.startswith(disk) and entry.suffix == ".vmdk"))
        for entry in entries
    )
