"""What each holder has of each quota, and what it may have: rows that the transaction of a change keeps.

A check costs the same among few resources and among many.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.quotas import Defaults
from gateway.store.audit import INSERT, AuditEntry, rows_of
from gateway.store.questions import Fetching, marks
from gateway.store.transaction import Transaction

BUSY_SECONDS = 10.0
FORMS = 10_000
"""More than there will ever be migrations."""
Key = tuple[str, str]
"""A holder, and the name of a quota."""
SELECT = (
    "SELECT holder, quota, used, allowed, a.holder IS NOT NULL AND a.quota IS NOT NULL FROM "
    "(SELECT holder, quota FROM usage {where} UNION SELECT holder, quota FROM allowances {where}) "
    "LEFT JOIN usage USING (holder, quota) LEFT JOIN allowances AS a USING (holder, quota) ORDER BY holder, quota"
)
SET = (
    "INSERT INTO allowances (holder, quota, allowed) VALUES (?, ?, ?) "
    "ON CONFLICT (holder, quota) DO UPDATE SET allowed = excluded.allowed"
)
UNSET = "DELETE FROM allowances WHERE holder = ? AND quota = ?"


@dataclass(frozen=True, slots=True)
class Usage:
    """The use that a holder makes of a quota; ``allowed`` None is without limit where ``own``, else as defaults say."""

    holder: str
    quota: str
    used: int
    allowed: int | None
    own: bool
    """An admin has set what is allowed."""

    def limit(self, defaults: Defaults) -> int | None:
        """Return how much the holder may have, with these defaults; None without limit."""
        return self.allowed if self.own else defaults.get(self.holder.partition("/")[0], {}).get(self.quota)


@dataclass(frozen=True, slots=True)
class Allowance:
    """A setting of an admin for a holder: ``allowed`` of a quota, None for no limit; or the ``default`` again."""

    quota: str
    allowed: int | None = None
    default: bool = False


def count(transaction: Transaction, changes: Mapping[Key, int]) -> None:
    """Add these numbers to what the holders have."""
    transaction.put_each(
        "INSERT INTO usage (holder, quota, used) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (holder, quota) DO UPDATE SET used = used + ?3",
        [(holder, quota, number) for (holder, quota), number in changes.items()],
    )


async def usage_of(store: Fetching, holders: Sequence[str]) -> list[Usage]:
    """Return what the holders, some hundred at most, have and may have; by the primary key, some twenty rows each."""
    where = f"WHERE holder IN ({marks(holders)})"
    return [_usage(row) for row in await store.fetch(SELECT.format(where=where), (*holders, *holders))]


async def allowances_of(store: Fetching, quotas: Sequence[str]) -> dict[Key, int | None]:
    """Return what was set for single holders of some quotas; the whole table is looked at."""
    sql = f"SELECT holder, quota, allowed FROM allowances WHERE quota IN ({marks(quotas)})"  # noqa: S608
    return {(holder, quota): allowed for holder, quota, allowed in await store.fetch(sql, quotas)}


async def holders_like(store: Fetching, kind: str) -> list[str]:
    """Return the holders of a kind that have anything or were set a quota, by name; both tables are looked at."""
    pattern = (f"{kind}/", f"{kind}0")
    sql = (
        "SELECT holder FROM usage WHERE holder > ? AND holder < ? UNION "
        "SELECT holder FROM allowances WHERE holder > ? AND holder < ? ORDER BY holder"
    )
    return [holder for (holder,) in await store.fetch(sql, (*pattern, *pattern))]


def allow(transaction: Transaction, holder: str, allowances: Iterable[Allowance]) -> None:
    """Set what a holder may have."""
    for sql, parameters in _settings(holder, allowances):
        transaction.put(sql, parameters)


async def form_of(store: Fetching, measures: int) -> int:
    """Return the number that stands for these measures in a store of this form."""
    [(version,)] = await store.fetch("PRAGMA user_version")
    return measures * FORMS + int(version)


async def counted_form(store: Fetching) -> int | None:
    """Return by which measures, in which form, the store was counted; None when it was not counted yet."""
    rows = await store.fetch("SELECT form FROM usage_form")
    return int(rows[0][0]) if rows else None


def count_anew(transaction: Transaction, total: Mapping[Key, int], form: int) -> None:
    """Write what the holders have in place of all that was counted before."""
    transaction.put("DELETE FROM usage")
    count(transaction, total)
    transaction.put("DELETE FROM usage_form")
    transaction.put("INSERT INTO usage_form (form) VALUES (?)", (form,))


def _settings(holder: str, allowances: Iterable[Allowance]) -> list[tuple[str, tuple[object, ...]]]:
    return [
        (UNSET, (holder, entry.quota)) if entry.default else (SET, (holder, entry.quota, entry.allowed))
        for entry in allowances
    ]


def _usage(row: Sequence[object]) -> Usage:
    holder, quota, used, allowed, own = row
    whole = allowed if isinstance(allowed, int) else None
    return Usage(str(holder), str(quota), used if isinstance(used, int) else 0, whole, bool(own))


# Beside the gateway


def read_usage(path: Path, holder: str | None = None) -> list[Usage]:
    """Return what a holder, or each of them, has and may have, from the store at a path. Raises sqlite3.Error."""
    where, parameters = ("WHERE holder = ?", (holder, holder)) if holder is not None else ("", ())
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return [_usage(row) for row in connection.execute(SELECT.format(where=where), parameters)]


def project_names(path: Path) -> dict[str, str]:
    """Return the name of each project by its id, from the store at a path; by the kind. Raises sqlite3.Error."""
    sql = "SELECT path, json_extract(document, '$.name') FROM resources WHERE kind = 'Project'"
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return {place.rpartition("/")[2]: name for place, name in connection.execute(sql)}


def set_allowances(path: Path, holder: str, allowances: Sequence[Allowance], entry: AuditEntry) -> None:
    """Set what a holder may have in the store at a path, also beside the gateway; and say so in the audit log.

    Raises sqlite3.Error.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)) as connection, connection:
        for sql, parameters in _settings(holder, allowances):
            connection.execute(sql, parameters)
        connection.executemany(INSERT, rows_of([entry]))
