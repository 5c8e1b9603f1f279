"""The connection that writes. What asks for no answer waits for what does, or for the commit, and goes along with it.

Each way to SQLite's thread and back costs more than most statements do there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiosqlite

from gateway.errors import Conflict

Parameters = Sequence[Any] | Mapping[str, Any]
Answer = tuple[list[Any], int]
"""The rows that were read, and how many were changed."""
CHUNK = 64


@dataclass(frozen=True, slots=True)
class Statement:
    """An SQL statement for each of some rows; ``conflict`` says what it means when it breaks a rule of the tables."""

    sql: str
    rows: tuple[Parameters, ...] = ((),)
    conflict: str = ""


class Writer(aiosqlite.Connection):
    """The connection that writes: ``begin``, then ``put`` and ``fetch``, then ``commit`` or ``rollback``.

    One transaction at a time uses the connection.
    """

    def __init__(self, connector: Callable[[], sqlite3.Connection]) -> None:
        super().__init__(connector, CHUNK)
        self._waiting: list[Statement] = []
        self._untouched = False
        """Nothing was said since the beginning, which waits too."""

    def begin(self, *, durable: bool) -> None:
        """Begin a transaction with the first statement that asks for an answer.

        The durability of the commit is said before that: SQLite takes it between transactions only.
        """
        synchronous = Statement(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._waiting = [synchronous, Statement("BEGIN IMMEDIATE")]
        self._untouched = True

    def put(self, sql: str, parameters: Parameters = (), conflict: str = "") -> None:
        """Have a statement done before anything that is put or fetched later.

        Its errors are raised by what comes next.
        """
        self._put(Statement(sql, (parameters,), conflict))

    def put_each(self, sql: str, rows: Iterable[Parameters]) -> None:
        """Have a statement done with each of the rows, as ``put`` does it with one."""
        self._put(Statement(sql, tuple(rows)))

    def _put(self, statement: Statement) -> None:
        self._untouched = False
        self._waiting.append(statement)

    async def fetch(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Return the rows of a read, after all that was put.

        Raises Conflict when a statement that was put breaks a rule, with the words that it was given for that.
        """
        return (await self._all(sql, parameters))[0]

    async def change(self, sql: str, parameters: Parameters = ()) -> int:
        """Have a statement done, and return how many rows it changed. Raises Conflict as ``fetch`` does."""
        return (await self._all(sql, parameters))[1]

    async def commit(self) -> None:
        """Commit what was put since ``begin``; nothing is done when nothing was put or fetched."""
        if self._untouched:
            self._waiting = []
        else:
            await self._all("COMMIT", ())

    async def _all(self, sql: str, parameters: Parameters) -> Answer:
        """Do what waits, and then this statement, on the connection's thread."""
        statements, self._waiting, self._untouched = self._waiting, [], False
        answer: Answer = await self._execute(self._run, statements, sql, parameters)  # type: ignore[no-untyped-call]
        return answer

    async def rollback(self) -> None:
        """Take back what was done since ``begin``, after whatever a cancelled task still has in the thread's queue."""
        self._waiting = []
        await self.execute("ROLLBACK")

    def _run(self, statements: list[Statement], sql: str, parameters: Parameters) -> Answer:
        """Do the statements, and return the answer to the last one; runs on the thread."""
        for statement in statements:
            self._do(statement)
        cursor = self._conn.execute(sql, parameters)
        return cursor.fetchall(), cursor.rowcount

    def _do(self, statement: Statement) -> None:
        try:
            for row in statement.rows:
                self._conn.execute(statement.sql, row)
        except sqlite3.IntegrityError:
            if not statement.conflict:
                raise
            raise Conflict(statement.conflict) from None
