"""The store: resources in one SQLite file, written by one connection, read beside it."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any, TypeVar

import aiosqlite
import structlog

from gateway import clock
from gateway.clock import timestamp
from gateway.errors import GatewayError, NoSpace, Unavailable
from gateway.store import schema
from gateway.store.audit import AuditEntry
from gateway.store.events import EventTimes, KeptEvent
from gateway.store.job_log import JobLine
from gateway.store.keyring import keyring
from gateway.store.model import COLUMNS, Page, Query, Resource, from_row
from gateway.store.pages import read_page, value_sql
from gateway.store.rules import Rule
from gateway.store.samples import read_sample, read_samples
from gateway.store.schema import Reader
from gateway.store.sealing import Sealing
from gateway.store.series import Series, read_entry, read_series
from gateway.store.transaction import Transaction, Writer

UNDER_WAY: ContextVar[bool] = ContextVar("under way", default=False)
"""Set in the tasks of jobs. A burst of new requests would else hold up each step of those which were accepted."""
READERS = 2
CACHED = 2048
CACHED_COUNTS = 1000
AT_ONCE = 500
"""Resources that a walk over all of a kind holds."""
log = structlog.get_logger("store")

T = TypeVar("T")
Changes = dict[str, Resource | None]
Watcher = Callable[[Changes], None]
Listener = Callable[[list[KeptEvent]], None]
LineReader = Callable[[list[JobLine]], None]
Auditor = Callable[[list[AuditEntry]], None]


class Turns:
    """A lock for those who write: work that is under way goes on before anything new is taken in.

    Among those who wait the ones that are under way come first, each group in its order.
    """

    def __init__(self) -> None:
        self._taken = False
        self._waiting: tuple[deque[asyncio.Future[None]], deque[asyncio.Future[None]]] = (deque(), deque())

    async def acquire(self) -> None:
        """Wait for the lock, and take it."""
        if not self._taken:
            self._taken = True
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting[0 if UNDER_WAY.get() else 1]
        queue.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release()  # It was ours already.
            else:
                with suppress(ValueError):
                    queue.remove(turn)
            raise

    def release(self) -> None:
        """Hand the lock to the next who waits, or put it down."""
        for queue in self._waiting:
            while queue:
                turn = queue.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        self._taken = False


class CountCache:
    """Counts of filtered collections, dropped when a resource of the kind changes."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Any, ...], int] = OrderedDict()
        self._generations: dict[str, int] = {}

    def changed(self, kinds: Iterable[str]) -> None:
        """Forget the counts of kinds of which resources have changed."""
        for kind in kinds:
            self._generations[kind] = self._generations.get(kind, 0) + 1

    async def count(self, kind: str, question: tuple[Any, ...], ask: Callable[[], Awaitable[int]]) -> int:
        """Return the count for a question about a kind: the kept one, or else what ``ask`` answers."""
        key = (kind, self._generations.get(kind, 0), *question)
        if key not in self._counts:
            self._counts[key] = await ask()
            while len(self._counts) > CACHED_COUNTS:
                self._counts.popitem(last=False)
        return self._counts[key]


class Store:
    """The resources and what is appended.

    Open it with ``await Store.open(path)``; changes go through ``transaction()``.
    """

    def __init__(
        self, path: Path, lock: IO[bytes], writer: Writer, readers: list[Reader], lost: dict[str, int]
    ) -> None:
        self.path = path
        self.lost = lost
        """How many resources of each kind have secrets that no key at hand opens."""
        self._lock_file = lock
        self._writer = writer
        self._readers = readers
        self._event_times = EventTimes(timestamp(clock.now()), "")
        self._turn = itertools.cycle(self._readers)
        self._writing = Turns()
        self._cache: OrderedDict[str, Resource] = OrderedDict()
        self._commits = 0
        self.writers_waiting = 0
        self._counts = CountCache()
        self._watchers: list[tuple[frozenset[str], Watcher]] = []
        self._listeners: list[Listener] = []
        self._line_readers: list[LineReader] = []
        self._numbers = itertools.count(1)
        """The numbers of the next lines in logs of Jobs."""
        self._auditors: list[Auditor] = []
        self._rules: tuple[Rule, ...] = ()

    @classmethod
    async def open(cls, path: Path, key: str = "", former_keys: Sequence[str] = ()) -> Store:
        """Open the store with the key in the file ``key``; ``keyring.py`` says which one it is without.

        Raises StoreError when the file is in use, newer than this program, or no store;
        ConfigError for a key of no use.
        """
        lock = await asyncio.to_thread(schema.lock, path)
        try:
            sealing = Sealing(await asyncio.to_thread(keyring, path, key, former_keys))
            lost = await asyncio.to_thread(schema.migrate, path, sealing)
        except BaseException:
            lock.close()
            raise
        readers = [await schema.reader(path, sealing) for _ in range(READERS)]
        store = cls(path, lock, await schema.writer(path, sealing), readers, lost)
        [(newest,)] = await store.fetch("SELECT coalesce(max(time), '') FROM event_heads")
        store._event_times = EventTimes(timestamp(clock.now()), newest)
        [(last,)] = await store.fetch("SELECT coalesce(max(line), 0) FROM job_log")
        store._numbers = itertools.count(last + 1)
        return store

    async def close(self) -> None:
        """Close all connections, and let another process have the store."""
        for connection in (self._writer, *self._readers):
            await connection.close()
        self._lock_file.close()

    def watch(self, watcher: Watcher, *kinds: str) -> None:
        """Call ``watcher`` after each commit with all that changed: path to resource, or to None when deleted.

        Where ``kinds`` are given, commits that changed no resource of these kinds are left out.
        """
        self._watchers.append((frozenset(kinds), watcher))

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` after each commit with the events that it kept, in their order."""
        self._listeners.append(listener)

    def read_lines(self, reader: LineReader) -> None:
        """Call ``reader`` after each commit with the lines that it added to logs of Jobs, before who watches those."""
        self._line_readers.append(reader)

    def audit(self, auditor: Auditor) -> None:
        """Call ``auditor`` after each commit with the entries that it added to the audit log."""
        self._auditors.append(auditor)

    def obey(self, rules: tuple[Rule, ...]) -> None:
        """Apply these rules, and no others, to each transaction from now on, in their order."""
        self._rules = rules

    def peek(self, path: str) -> Resource | None:
        """Return the resource when it is at hand without asking the disk; None says nothing."""
        return self._cache.get(path)

    async def get(self, path: str) -> Resource | None:
        """Return the resource at a path; None when there is none."""
        cached = self._cache.get(path)
        if cached is not None:
            self._cache.move_to_end(path)
            return cached
        commits = self._commits
        rows = await self.fetch(f"SELECT {COLUMNS} FROM resources WHERE path = ?", (path,))  # noqa: S608
        if not rows:
            return None
        resource = from_row(rows[0])
        if commits == self._commits:
            self._remember(resource)
        return resource

    async def children(self, parent: str, kind: str | None = None) -> tuple[Resource, ...]:
        """Return the direct components of a resource, in the order of their creation."""
        sql, parameters = f"SELECT {COLUMNS} FROM resources WHERE parent = ?", [parent]  # noqa: S608
        if kind is not None:
            sql += " AND kind = ?"
            parameters.append(kind)
        rows = await self.fetch(sql + " ORDER BY created, path", parameters)
        return tuple(from_row(row) for row in rows)

    async def find(self, kind: str, attribute: str, value: str) -> tuple[Resource, ...]:
        """Return the resources of this kind whose attribute is this, or refers to this path; by its index."""
        return tuple(from_row(row) for row in await self.fetch(value_sql(kind, attribute), (value,)))

    async def page(self, query: Query) -> Page:
        """Return a page of the answer to a question about one collection."""
        return await read_page(self.fetch, self._counts.count, query, self._fetch_within)

    async def series(self, series: Series, query: Query) -> Page:
        """Return a page of what is only ever appended."""
        return await read_series(self.fetch, series, query)

    async def entry(self, series: Series, owner: str, position: int) -> Resource | None:
        """Return an owner's entry at a position of what is only ever appended; None when there is none."""
        return await read_entry(self.fetch, series, owner, position)

    async def samples(self, query: Query) -> Page:
        """Return a page of the samples of the Meter ``query.parent``."""
        return await read_samples(self.fetch, query)

    async def sample(self, meter: str, time: int) -> Resource | None:
        """Return the sample of a Meter at a time in milliseconds since 1970; None when there is none."""
        return await read_sample(self.fetch, meter, time)

    async def every(self, kind: str) -> AsyncIterator[Resource]:
        """Yield all resources of a root collection, some in memory at a time; for reconciliation, not for requests."""
        last = ("", "")
        while True:
            rows = await self.fetch(
                f"SELECT {COLUMNS} FROM resources WHERE kind = ? AND parent = '' "  # noqa: S608
                "AND (created, path) > (?, ?) ORDER BY created, path LIMIT ?",
                (kind, *last, AT_ONCE),
            )
            for row in rows:
                resource = from_row(row)
                yield resource
            if len(rows) < AT_ONCE:
                return
            last = (timestamp(resource.created), resource.path)

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a read, from one of the readers."""
        try:
            return list(await next(self._turn).execute_fetchall(sql, parameters))
        except aiosqlite.OperationalError as error:
            raise _translated(error) from error

    async def _fetch_within(self, sql: str, parameters: Sequence[Any], most_bytes: int) -> list[Any]:
        try:
            return await next(self._turn).fetch_within(sql, parameters, most_bytes)
        except aiosqlite.OperationalError as error:
            raise _translated(error) from error

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[Transaction]:
        """Begin a transaction: all or nothing, one at a time.

        Raises NoSpace or Unavailable when the disk does not take it. A transaction that need not be ``durable``
        survives the end of this process, and is on disk with the next one that must be: for changes which may be done
        again after the host lost its power.
        """
        self.writers_waiting += 1
        try:
            await self._writing.acquire()
        finally:
            self.writers_waiting -= 1
        try:
            transaction = Transaction(self._writer, self._cache, self._event_times, self._numbers)
            try:
                self._writer.begin(durable=durable)
                yield transaction
                await self._apply_rules(transaction)
                await uninterrupted(self._commit(transaction))
            except BaseException as error:
                await uninterrupted(self._roll_back())
                if isinstance(error, aiosqlite.OperationalError):
                    raise _translated(error) from error
                raise
        finally:
            self._writing.release()

    async def _apply_rules(self, transaction: Transaction) -> None:
        """Apply each rule that has anything to do in the transaction, as it is after the rules before."""
        for rule in self._rules:
            about = not rule.kinds or not rule.kinds.isdisjoint(transaction.kinds)
            if transaction.changes and about and (not rule.of_removals or None in transaction.changes.values()):
                await rule.apply(transaction)

    async def _commit(self, transaction: Transaction) -> None:
        """Commit the whole even when the task is cancelled meanwhile: what is on disk, the caches know."""
        await self._writer.commit()
        self._committed(transaction)

    async def _roll_back(self) -> None:
        # None had begun, it is committed, or the store is closed, which ends it, too: what led here is to be told.
        with suppress(aiosqlite.Error, ValueError):
            await self._writer.rollback()

    def _committed(self, transaction: Transaction) -> None:
        self._commits += 1
        for path, resource in transaction.changes.items():
            if resource is None:
                self._cache.pop(path, None)
            else:
                self._remember(resource)
        if transaction.kinds:
            self._counts.changed(transaction.kinds)
        # What goes wrong with one who follows fails neither what is committed nor the others.
        for reader in self._line_readers if transaction.lines else ():
            _followed(reader, transaction.lines)
        for kinds, watcher in self._watchers:
            if not kinds or not kinds.isdisjoint(transaction.kinds):
                _followed(watcher, transaction.changes)
        for listener in self._listeners if transaction.events else ():
            _followed(listener, transaction.events)
        for auditor in self._auditors if transaction.audited else ():
            _followed(auditor, transaction.audited)

    def _remember(self, resource: Resource) -> None:
        self._cache[resource.path] = resource
        self._cache.move_to_end(resource.path)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    async def get_many(self, paths: Iterable[str]) -> dict[str, Resource]:
        """Return those of the resources that are there, by path."""
        resources = {path: await self.get(path) for path in paths}
        return {path: resource for path, resource in resources.items() if resource is not None}


def _followed(follower: Callable[[T], None], news: T) -> None:
    """Call who follows commits; what goes wrong there is logged."""
    try:
        follower(news)
    except Exception:
        log.exception("a commit was not followed")


async def uninterrupted(work: Coroutine[Any, Any, None]) -> None:
    """Wait for the work to its end, though this task be cancelled meanwhile; then raise what there is to raise."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            with suppress(Exception):  # The task's own, raised below.
                await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    task.result()
    if cancelled is not None:
        raise cancelled


def _translated(error: aiosqlite.OperationalError) -> GatewayError:
    text = str(error)
    if "full" in text:
        return NoSpace("the disk of the gateway's store is full; free some space")
    return Unavailable(f"the gateway's store does not answer: {text}")
