"""The users file: one ``name:role:bcrypt hash`` a line, readable by the gateway alone."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from gateway.errors import GatewayError
from gateway.private_files import write_private

ROLES = ("admin", "operator", "viewer")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
LONGEST_PASSWORD = 72
"""Bytes; bcrypt looks at no more."""
COST = 12


class UsersError(GatewayError):
    """The users file, or a change of it, is wrong; the message says how."""


@dataclass(frozen=True, slots=True)
class User:
    """A user: the name, the role, and the bcrypt hash of the password."""

    name: str
    role: str
    hash: str


def read(path: Path) -> dict[str, User]:
    """Return the users in a file by their names, none where there is no file. Raises UsersError, naming the line."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsersError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsersError(f"{path} is not UTF-8 text") from None
    users = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.strip().split(":")
        if len(parts) != 3 or parts[1] not in ROLES or not NAME.fullmatch(parts[0]):
            raise UsersError(f"{path} line {number}: must be name:role:hash with a role of {', '.join(ROLES)}")
        users[parts[0]] = User(*parts)
    return users


@contextmanager
def changing(path: Path) -> Iterator[dict[str, User]]:
    """Yield the users in a file, and write them when the block ends well; whoever changes them too waits meanwhile.

    Raises UsersError, as ``read`` does, and for a directory that cannot be used.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise UsersError(f"{path.parent} cannot be used: {error.strerror}") from None
    try:
        # The file itself is replaced, and so is no good as a lock.
        fcntl.flock(directory, fcntl.LOCK_EX)
        users = read(path)
        yield users
        write(path, users)
    finally:
        os.close(directory)


def write(path: Path, users: dict[str, User]) -> None:
    """Replace the file at once, so that no reader ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{user.name}:{user.role}:{user.hash}\n" for user in users.values())
    write_private(path, lines.encode(), lambda new: _own_as(new, path))


def _own_as(new: Path, path: Path) -> None:
    """Give a file the owner and mode of the file that it replaces.

    The first one that root makes is for the group of its directory, the gateway's.
    """
    if path.exists():
        status = path.stat()
        os.chown(new, status.st_uid, status.st_gid)
        new.chmod(stat.S_IMODE(status.st_mode))
        return
    group = path.parent.stat().st_gid
    if os.geteuid() == 0 and group != os.getegid():
        os.chown(new, -1, group)
        new.chmod(0o640)


def hashed(password: str) -> str:
    """Return the hash of a password. Raises UsersError for one that is empty or longer than bcrypt can tell apart."""
    data = password.encode()
    if not data or len(data) > LONGEST_PASSWORD:
        raise UsersError(f"a password has 1 to {LONGEST_PASSWORD} bytes, this one {len(data)}")
    return bcrypt.hashpw(data, bcrypt.gensalt(COST)).decode()


def hash_of(password: str | None) -> str:
    """Return the hash of a password, and '' for none, which no password is right for. Raises UsersError."""
    return hashed(password) if password is not None else ""


def checked_name(name: str) -> str:
    """Return the name. Raises UsersError for one that no user may have."""
    if not NAME.fullmatch(name):
        raise UsersError(f"{name[:64]!r} is no user name: letters, digits and . _ @ - only, at most 64")
    return name
