"""A connection that reads, and stops where an answer has become long enough."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import aiosqlite

from gateway.store.rows import LONG, bytes_in

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
