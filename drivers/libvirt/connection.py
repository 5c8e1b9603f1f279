"""The connection to one libvirt: kept up, never used on the event-loop thread, every call with a deadline."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import libvirt
import structlog

from drivers.base import CallObserver, ConnectionState, DriverConflict, DriverError, DriverUnavailable, Load
from drivers.libvirt import event_loop
from drivers.libvirt.errors import is_connection_lost, translated
from drivers.libvirt.host_claims import HostClaims, HostIdentity, identity, refusal
from drivers.libvirt.lanes import ISOLATED, Lane, Seat, Seats
from drivers.libvirt.uri import demand_reachable, is_local
from drivers.supervision import Loop, Supervision

T = TypeVar("T")
log = structlog.get_logger("libvirt")

KEEPALIVE_SECONDS = 2
KEEPALIVE_COUNT = 2
CONNECT_SECONDS = KEEPALIVE_SECONDS * (KEEPALIVE_COUNT + 2)
REACH_SECONDS = 3.0
"""Seconds that a host may take to accept a connection, before libvirt is asked to make one."""
CLOSING_SECONDS = 3.0
"""Seconds that closing waits for calls in flight, and again for a libvirt that may be frozen."""
DEADLINE = 30.0
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 10.0
"""Seconds until connecting is tried again; doubled with each failure in a row."""


@contextmanager
def _counted(counts: dict[Lane, int], lane: Lane) -> Iterator[None]:
    counts[lane] += 1
    try:
        yield
    finally:
        counts[lane] -= 1


def refuse_on_loop_thread() -> None:
    """Raise AssertionError where an asyncio loop runs: a libvirt call there would stop everything else."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise AssertionError("a libvirt call was made on the event-loop thread")


class Connection:
    """The connection to one libvirt; ``call`` runs a function with the live virConnect on a worker thread."""

    def __init__(self, uri: str, name: str = "", claims: HostClaims | None = None) -> None:
        self.uri = uri
        self._loop_name = f"connection of {name or uri}"
        self.supervision = Supervision()
        """Keeps the loop that keeps this up; another may be set before ``open``."""
        self.state = ConnectionState.DOWN
        self.reason = "not connected yet"
        self.twin = ""
        """The entry by which the same libvirt is served, while it is not served by this one."""
        self._name = name
        self._claims = claims
        self._identity: HostIdentity | None = None
        self._stuck: dict[Seat, asyncio.Future[libvirt.virConnect]] = {}
        """Attempts to open a connection that libvirt has not ended yet: until then there is no other of that seat."""
        self._handles: dict[Seat, libvirt.virConnect] = {}
        self._seats = Seats(local=self.local)
        self._permits = {lane: asyncio.Semaphore(self._seats.number(lane)) for lane in Lane}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._keeper: Loop | None = None
        self._backoff = FIRST_BACKOFF
        self._lost = asyncio.Event()
        self._attempted = asyncio.Event()
        self._on_state: list[Callable[[ConnectionState, str], None]] = []
        self.on_connect: Callable[[libvirt.virConnect], None] | None = None
        """Runs on a worker thread with each new events connection: to register for events."""
        self.overdue = 0
        """Calls that overstayed their deadline and still hold a thread."""
        self.observers: list[CallObserver] = []
        self._asked = dict.fromkeys(Lane, 0)
        self._in_flight: dict[Future[Any], libvirt.virConnect] = {}
        """Calls that threads are at, also those that nobody waits for any more, with the handle that each uses."""
        self._closing: set[threading.Thread] = set()
        self._running = dict.fromkeys(Lane, 0)

    @property
    def local(self) -> bool:
        """Whether the hypervisor is the host we run on: its URI names no other."""
        return is_local(self.uri)

    def watch(self, listener: Callable[[ConnectionState, str], None]) -> None:
        """Call the listener with each new state of the connection and its reason, on the asyncio loop."""
        self._on_state.append(listener)

    async def open(self) -> None:
        """Begin to keep the connection up; returns after the first attempt, whatever its outcome."""
        await asyncio.to_thread(event_loop.ensure_running)
        self._loop = asyncio.get_running_loop()
        self._keeper = self.supervision.keep(self._loop_name, self._keep, self._until_next_try)
        await self._attempted.wait()

    async def close(self) -> None:
        """End the connection.

        Waits ``CLOSING_SECONDS`` at most for calls in flight, and as long for libvirt to let go.
        """
        if self._keeper is not None:
            await self._keeper.stop()
        if self._in_flight:
            await asyncio.to_thread(wait, list(self._in_flight), CLOSING_SECONDS)
        await self._drop()
        await asyncio.to_thread(self._join_closing)
        self._seats.close()

    async def call(
        self, function: Callable[[libvirt.virConnect], T], *, lane: Lane = Lane.CONTROL, deadline: float = DEADLINE
    ) -> T:
        """Run ``function`` with the lane's connection. Raises DriverError; DriverUnavailable past the deadline."""
        with _counted(self._asked, lane):
            async with self._permits[lane]:
                with _counted(self._running, lane), self._observed(lane), self._seats.taken(lane) as seat:
                    return await self._call(function, seat, deadline)

    async def _call(self, function: Callable[[libvirt.virConnect], T], seat: Seat, deadline: float) -> T:
        handle = self._handles.get(seat)
        if handle is None and seat.comes_later and self.state is ConnectionState.UP:
            handle = await self._connect_seat(seat)
        if handle is None:
            raise DriverUnavailable(f"libvirt at {self.uri} is not connected: {self.reason}")
        work = self._seats.threads(seat).submit(self._guarded, function, handle)
        self._in_flight[work] = handle
        work.add_done_callback(lambda ended: self._in_flight.pop(ended, None))
        future = asyncio.wrap_future(work)
        done, _ = await asyncio.wait({future}, timeout=deadline)
        if not done:
            self._abandon(seat, future)
            raise DriverUnavailable(f"libvirt did not answer within {deadline:g} s")
        return self._result(future)

    @contextmanager
    def _observed(self, lane: Lane) -> Iterator[None]:
        began, succeeded = time.monotonic(), False
        try:
            yield
            succeeded = True
        finally:
            for observer in self.observers:
                observer(lane.value, time.monotonic() - began, succeeded)

    def load(self) -> tuple[Load, ...]:
        """Return how many calls run and how many wait now, for each lane."""
        return tuple(Load(lane.value, self._running[lane], self._asked[lane] - self._running[lane]) for lane in Lane)

    def _abandon(self, seat: Seat, future: asyncio.Future[Any]) -> None:
        """Leave the stuck thread to its fate, and give the seat fresh ones."""
        self.overdue += 1
        future.add_done_callback(self._came_back)
        self._seats.renew(seat)
        if seat.lane not in ISOLATED:
            self._lose("a call overstayed its deadline")
        elif (handle := self._handles.pop(seat, None)) is not None:
            self._close_apart(seat.lane, handle)

    def _came_back(self, future: asyncio.Future[Any]) -> None:
        self.overdue -= 1
        future.exception()

    def _guarded(self, function: Callable[[libvirt.virConnect], T], handle: libvirt.virConnect) -> T:
        refuse_on_loop_thread()
        try:
            return function(handle)
        except libvirt.libvirtError as error:
            if error.err is not None or "Lookup" not in str(error):
                raise
        # Why a lookup failed is lost when objects that nobody has any more are freed on this thread just then; whether
        # there is no such thing or no connection makes all the difference.
        return function(handle)

    def _result(self, future: asyncio.Future[T]) -> T:
        try:
            return future.result()
        except libvirt.libvirtError as error:
            if is_connection_lost(error):
                self._lose(str(error))
            raise translated(error) from error

    def _lose(self, reason: str) -> None:
        if self.state is not ConnectionState.DOWN:
            self.reason = reason
            self._lost.set()

    # Keeping it up

    async def _keep(self) -> None:
        """Connect, and stay until the connection is lost."""
        self._lost.clear()
        try:
            self._set(ConnectionState.CONNECTING, "")
            await self._connect()
            self._backoff = FIRST_BACKOFF
            self._set(ConnectionState.UP, "")
            self._attempted.set()
            self.supervision.works(self._loop_name)
            await self._lost.wait()
        except DriverError as error:
            self.reason = str(error)
        except Exception:
            self.reason = "connecting failed unexpectedly; the journal of the gateway says how"
            await self._give_up()
            raise
        await self._give_up()

    async def _give_up(self) -> None:
        self._set(ConnectionState.DOWN, self.reason)
        await self._drop()
        self._attempted.set()

    def _until_next_try(self) -> float:
        backoff, self._backoff = self._backoff, min(self._backoff * 2, LONGEST_BACKOFF)
        return backoff * random.uniform(0.8, 1.2)  # noqa: S311 - jitter

    def _set(self, state: ConnectionState, reason: str) -> None:
        if state is not self.state:
            self.state = state
            log.info("connection", uri=self.uri, state=state.value, reason=reason)
            for listener in self._on_state:
                listener(state, reason)

    async def _connect(self) -> None:
        for lane in Lane:
            await self._connect_seat(Seat(lane))
            if lane is Lane.CONTROL and self._claims is not None:
                taken = self._identity and self._claims.take(self._name, self._identity, self._yield_to)
                self.twin = taken or ""
            # Taken by an earlier entry of the configuration, then or while the other lanes were opened.
            if self.twin:
                raise DriverConflict(refusal(self.twin))

    def _yield_to(self, twin: str) -> None:
        """Leave the libvirt to an earlier entry, which has come and serves the same one from this moment on."""
        self.twin = twin
        self._lose(refusal(twin))
        self._set(ConnectionState.DOWN, self.reason)

    async def _connect_seat(self, seat: Seat) -> libvirt.virConnect:
        await self._wait_for_stuck(seat)
        future = asyncio.get_running_loop().run_in_executor(self._seats.threads(seat), self._open_seat, seat)
        done, _ = await asyncio.wait({future}, timeout=CONNECT_SECONDS)
        if not done:
            self._seats.renew(seat)
            self._stuck[seat] = future
            future.add_done_callback(lambda late: self._came_late(seat, late))
            raise DriverUnavailable("libvirt accepts no connection in time")
        try:
            handle = future.result()
        except libvirt.libvirtError as error:
            raise translated(error) from error
        replaced = self._handles.get(seat)
        self._handles[seat] = handle
        if replaced is not None:
            self._close_apart(seat.lane, replaced)
        return handle

    async def _wait_for_stuck(self, seat: Seat) -> None:
        """Let an earlier attempt end first: each holds a thread for as long as libvirt likes."""
        stuck = self._stuck.get(seat)
        if stuck is not None and not (await asyncio.wait({stuck}, timeout=CONNECT_SECONDS))[0]:
            raise DriverUnavailable("libvirt has not ended an earlier attempt to connect")

    def _came_late(self, seat: Seat, late: asyncio.Future[libvirt.virConnect]) -> None:
        """Close a connection that nobody waits for any more."""
        self._stuck.pop(seat, None)
        if not late.cancelled() and late.exception() is None:
            self._close_apart(seat.lane, late.result())

    def _open_seat(self, seat: Seat) -> libvirt.virConnect:
        if seat == Seat(Lane.CONTROL):
            demand_reachable(self.uri, REACH_SECONDS)
        handle = libvirt.open(self.uri)
        try:
            handle.setKeepAlive(KEEPALIVE_SECONDS, KEEPALIVE_COUNT)
        except libvirt.libvirtError:
            # A driver inside our own process (test:///) has no wire to keep alive.
            log.debug("no keepalive", uri=self.uri)
        if not self.uri.startswith("test:"):
            handle.registerCloseCallback(self._closed, None)
        if seat.lane is Lane.EVENTS and self.on_connect is not None:
            self.on_connect(handle)
        if seat == Seat(Lane.CONTROL) and self._claims is not None:
            self._identity = identity(handle, self.uri)
        return handle

    def _closed(self, handle: libvirt.virConnect, reason: int, _opaque: object) -> None:
        """Hand over to the asyncio loop: this runs on libvirt's thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._lost_one, handle, f"libvirt closed the connection (reason {reason})")

    def _lost_one(self, handle: libvirt.virConnect, reason: str) -> None:
        """Lose the connection, unless the handle was given up before: then others have taken its place."""
        if any(used is handle for used in self._handles.values()):
            self._lose(reason)

    async def _drop(self) -> None:
        """Let go of every handle; closing may hang on a frozen libvirtd, so it has a thread of its own."""
        handles, self._handles = list(self._handles.items()), {}
        for seat, handle in handles:
            self._close_apart(seat.lane, handle)

    def _close_apart(self, lane: Lane, handle: libvirt.virConnect) -> None:
        self._closing = {thread for thread in self._closing if thread.is_alive()}
        thread = threading.Thread(target=self._close_handle, args=(lane, handle), daemon=True)
        self._closing.add(thread)
        thread.start()

    def _join_closing(self) -> None:
        """Wait for the threads that close handles: a process that ends in the middle of it crashes inside libvirt."""
        until = time.monotonic() + CLOSING_SECONDS
        for thread in self._closing:
            thread.join(max(0.0, until - time.monotonic()))

    def _close_handle(self, lane: Lane, handle: libvirt.virConnect) -> None:
        """Close the handle after the last call that uses it: libvirt frees what that call still works with."""

        def calls_over() -> None:
            wait([work for work, used in self._in_flight.copy().items() if used is handle])

        for release in (self._deregister(lane, handle), calls_over, handle.unregisterCloseCallback, handle.close):
            try:
                release()
            except libvirt.libvirtError as error:
                log.debug("closing a dead connection", reason=str(error))

    on_disconnect: Callable[[libvirt.virConnect], None] | None = None
    """Runs on a thread of its own before an events connection is closed: to deregister."""

    def _deregister(self, lane: Lane, handle: libvirt.virConnect) -> Callable[[], None]:
        def release() -> None:
            if lane is Lane.EVENTS and self.on_disconnect is not None:
                self.on_disconnect(handle)

        return release
