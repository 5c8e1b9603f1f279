"""The database file: opening, migrations by PRAGMA user_version, and the connections to it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from importlib import resources
from pathlib import Path
from typing import IO, Any, TypeVar

import aiosqlite

from gateway.errors import GatewayError
from gateway.private_files import make_private
from gateway.store.filter_sql import index_statements
from gateway.store.model import LONG, SORT_KEY, bytes_in, sort_key
from gateway.store.sealing import MARK, UNOPENED_MARK, Sealing, functions, register
from gateway.store.transaction import Writer


class StoreError(GatewayError):
    """The store cannot be opened; the message says why and what to do."""


Connected = TypeVar("Connected", bound=aiosqlite.Connection)

ZEROS = 65_536
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 5000",
    "PRAGMA cache_size = -8000",
    # What is overwritten or deleted is not left in free pages.
    "PRAGMA secure_delete = ON",
)
SEALED_SINCE = 8
"""The version from which on secrets are sealed."""


def migrations() -> list[str]:
    """Return the numbered SQL files in order; version N is what stands after the first N."""
    directory = resources.files("gateway.store").joinpath("migrations")
    names = sorted(entry.name for entry in directory.iterdir() if entry.name.endswith(".sql"))
    return [directory.joinpath(name).read_text() for name in names]


def lock(path: Path) -> IO[bytes]:
    """Hold the store for this process; a second gateway on the same file is refused."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = path.with_name(path.name + ".lock").open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise StoreError(f"{path} is in use by another gateway; stop it first") from None
    return handle


def is_locked(path: Path) -> bool:
    """Return whether a gateway has the store open. Raises StoreError where nobody may look."""
    try:
        with path.with_name(path.name + ".lock").open("rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        raise StoreError(f"{path} cannot be looked at: {error.strerror}; root and the gateway's user may") from None
    return False


def migrate(path: Path, sealing: Sealing) -> dict[str, int]:
    """Bring the file to the newest version, after a backup copy beside it when it holds data of an older one.

    Returns how many resources of each kind have secrets that no key at hand opens.
    """
    steps = migrations()
    try:
        make_private(path)
        connection = sqlite3.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path} cannot be opened: {error}") from None
    try:
        register(connection, sealing)
        _migrate(connection, path, steps)
        _seal_anew(connection, sealing)
        lost = _lost(connection)
    except sqlite3.Error as error:
        raise StoreError(f"{path} is no usable store: {error}") from None
    finally:
        connection.close()
    return lost


def _migrate(connection: sqlite3.Connection, path: Path, steps: list[str]) -> None:
    connection.create_function(SORT_KEY, 1, sort_key, deterministic=True)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(steps):
        raise StoreError(f"{path} is of version {version}, newer than this gateway's {len(steps)}; upgrade the gateway")
    if 0 < version < len(steps):
        _back_up(connection, _backup(path, SEALED_SINCE if version < SEALED_SINCE else len(steps)))
    for number, script in enumerate(steps[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
    _index(connection)
    _forget_plain(connection, path)


def _backup(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.before-{version}")


def _forget_plain(connection: sqlite3.Connection, path: Path) -> None:
    """Leave no copy of what is sealed now: in no free page, in no log, and in no backup that an upgrade made.

    While such a backup is there, this was not done to its end.
    """
    backups = [backup for version in range(SEALED_SINCE + 1) if (backup := _backup(path, version)).exists()]
    if not backups:
        return
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for backup in backups:
        with backup.open("r+b") as file:
            for _ in range(0, backup.stat().st_size, ZEROS):
                file.write(bytes(ZEROS))
            os.fsync(file.fileno())
        backup.unlink()


def _seal_anew(connection: sqlite3.Connection, sealing: Sealing) -> None:
    """Seal with the current key what former ones have sealed."""
    for mark in sealing.former_marks:
        connection.execute("UPDATE resources SET internal = resealed(path, internal) WHERE instr(internal, ?)", (mark,))
        connection.execute("UPDATE plans SET plan = resealed(job, plan) WHERE instr(plan, ?)", (mark,))


def _lost(connection: sqlite3.Connection) -> dict[str, int]:
    sql = (
        f"SELECT kind, count(*) FROM resources WHERE instr(internal, '{MARK}') "  # noqa: S608
        f"AND instr(opened(path, internal), '{UNOPENED_MARK}') GROUP BY kind ORDER BY kind"
    )
    return {str(kind): int(number) for kind, number in connection.execute(sql)}


def _index(connection: sqlite3.Connection) -> None:
    """Make the indexes that the declarations ask for now, and drop those that an older program declared otherwise."""
    sql = r"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE 'by\_%' ESCAPE '\'"
    present = {statement: name for name, statement in connection.execute(sql)}
    wanted = index_statements()
    for name in [name for statement, name in present.items() if statement not in wanted]:
        connection.execute(f"DROP INDEX {name}")
    for statement in wanted:
        if statement not in present:
            connection.execute(statement)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    make_private(target)
    copy = sqlite3.connect(target)
    try:
        connection.backup(copy)
    finally:
        copy.close()


# Connections

CHUNK = 64


class Reader(aiosqlite.Connection):
    """A connection to the store that only reads."""

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, CHUNK)

    async def fetch_within(self, sql: str, parameters: Sequence[Any], most_bytes: int) -> list[Any]:
        """Return the first rows of resources, up to the one with which they come to so many bytes.

        In one go on the thread: a statement that is left open between two would keep others that read by this
        connection from what was committed meanwhile.
        """
        rows: list[Any] = await self._execute(self._within, sql, parameters, most_bytes)  # type: ignore[no-untyped-call]
        return rows

    def _within(self, sql: str, parameters: Sequence[Any], most_bytes: int) -> list[Any]:
        """Return what ``fetch_within`` returns; runs on the connection's thread."""
        rows, size = [], 0
        with closing(self._conn.execute(sql, parameters)) as cursor:
            for row in cursor:
                rows.append(row)
                size += sum(bytes_in(row[column]) for column in LONG)
                if size >= most_bytes:
                    break
        return rows


async def reader(path: Path, sealing: Sealing) -> Reader:
    """Return a new connection that reads the store at the path."""
    return await _set_up(Reader(lambda: sqlite3.connect(path, isolation_level=None)), sealing)


async def writer(path: Path, sealing: Sealing) -> Writer:
    """Return a new connection that writes the store at the path."""
    return await _set_up(Writer(lambda: sqlite3.connect(path, isolation_level=None)), sealing)


async def _set_up(connection: Connected, sealing: Sealing) -> Connected:
    """Return the connection, opened, with the functions and settings that all connections have."""
    await connection
    await connection.create_function(SORT_KEY, 1, sort_key, deterministic=True)
    for name, arguments, function in functions(sealing):
        await connection.create_function(name, arguments, function)
    for pragma in PRAGMAS:
        await connection.execute(pragma)
    return connection
