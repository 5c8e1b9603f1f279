"""The golden stores on disk: databases of gateways that are no more, and the keys of their secrets."""

from __future__ import annotations

import gzip
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from gateway.private_files import own_key

STORES = Path(__file__).parent / "stores"
SQL = "store.sql.gz"
KEY = "store.key"
"""Of this golden store, and of nothing else."""
PLACES = "places.txt"
"""The name and the path of each document that is read of it."""


@dataclass(frozen=True)
class Dump:
    sql: str = ""
    key: bytes = b""


def dumped(database: Path) -> Dump:
    """Return what stands in a database, also while its gateway runs."""
    connection = sqlite3.connect(database)
    try:
        [version] = connection.execute("PRAGMA user_version").fetchone()
        lines = (*connection.iterdump(), f"PRAGMA user_version = {version};\n")
    finally:
        connection.close()
    return Dump("\n".join(lines), own_key(database).read_bytes())


def every_store() -> list[Path]:
    """Return the directory of each, the oldest first."""
    return sorted(STORES.iterdir(), key=lambda path: int(path.name)) if STORES.exists() else []


def add(dump: Dump, places: dict[str, str]) -> Path:
    """Write one more; return its directory."""
    directory = STORES / str(len(every_store()) + 1)
    directory.mkdir(parents=True)
    (directory / SQL).write_bytes(gzip.compress(dump.sql.encode(), mtime=0))
    (directory / KEY).write_bytes(dump.key)
    (directory / PLACES).write_text("".join(f"{name} {place}\n" for name, place in places.items()))
    return directory


def places_of(store: Path) -> dict[str, str]:
    entries = [line.partition(" ") for line in (store / PLACES).read_text().splitlines()]
    return {name: place for name, _, place in entries}


def restore(store: Path, home: Path) -> None:
    """Put a copy of the store where a gateway of this home has its own."""
    database = home / "gateway.db"
    connection = sqlite3.connect(database)
    try:
        connection.executescript(gzip.decompress((store / SQL).read_bytes()).decode())
    finally:
        connection.close()
    own_key(database).write_bytes((store / KEY).read_bytes())
    for file in (database, own_key(database)):
        file.chmod(0o600)
