"""The connection survives what happens to libvirtd: restart, freeze, many reconnects."""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import libvirt
import pytest

from drivers.base import ConnectionState, DriverEvent, DriverNotFound, DriverUnavailable, EventKind, HypervisorSettings
from drivers.libvirt import connection as connection_module
from drivers.libvirt.connection import Connection, refuse_on_loop_thread
from drivers.libvirt.driver import LibvirtDriver
from drivers.libvirt.lanes import Lane, Seat
from tests.contract.private_libvirtd import PrivateLibvirtd
from tests.patience import eventually

pytestmark = pytest.mark.qemu


@pytest.fixture
def libvirtd() -> Iterator[PrivateLibvirtd]:
    private = PrivateLibvirtd()
    private.start()
    yield private
    private.remove()


@pytest.fixture
def events() -> list[DriverEvent]:
    return []


@pytest.fixture
async def driver(libvirtd: PrivateLibvirtd, events: list[DriverEvent]) -> AsyncIterator[LibvirtDriver]:
    opened = LibvirtDriver(HypervisorSettings("private", libvirtd.uri, "none", "none", "qemu"))
    opened.subscribe(events.append)
    await opened.open()
    yield opened
    await opened.close()


def define(uri: str, name: str) -> None:
    host = libvirt.open(uri)
    host.defineXML(
        f"<domain type='qemu'><name>{name}</name><uuid>{uuid.uuid4()}</uuid><memory unit='KiB'>65536</memory>"
        "<os><type arch='x86_64'>hvm</type></os></domain>"
    )
    host.close()


async def test_an_open_connection_is_up(driver: LibvirtDriver) -> None:
    assert driver.connection is ConnectionState.UP


async def test_a_stopped_libvirtd_makes_calls_unavailable_at_once(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd
) -> None:
    await asyncio.to_thread(libvirtd.stop)
    await eventually(lambda: driver.connection is not ConnectionState.UP, "the connection is given up")
    with pytest.raises(DriverUnavailable):
        await driver.domains.list_all()


async def test_after_a_restart_the_connection_is_up_again_and_events_come(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd, events: list[DriverEvent]
) -> None:
    await asyncio.to_thread(libvirtd.stop)
    await eventually(lambda: driver.connection is not ConnectionState.UP, "the connection is given up")
    await asyncio.to_thread(libvirtd.start)
    await eventually(lambda: driver.connection is ConnectionState.UP, "the connection is there again")
    await asyncio.to_thread(define, libvirtd.uri, "after-restart")
    await eventually(lambda: any(event.kind is EventKind.DOMAIN_CHANGED for event in events), "the change is told")


async def test_a_frozen_libvirtd_fails_the_call_and_never_the_loop(
    driver: LibvirtDriver, libvirtd: PrivateLibvirtd
) -> None:
    libvirtd.freeze()
    longest, last = 0.0, time.monotonic()
    call = asyncio.ensure_future(driver.domains.list_all())
    while not call.done():
        await asyncio.sleep(0.01)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    libvirtd.thaw()
    with pytest.raises(DriverUnavailable):
        call.result()
    # A loop that waits for libvirt would stand still for the whole deadline.
    assert longest < connection_module.DEADLINE / 2
    await eventually(lambda: driver.connection is ConnectionState.UP, "the connection is there again")


async def test_many_reconnects_leave_no_descriptors(driver: LibvirtDriver, libvirtd: PrivateLibvirtd) -> None:
    async def reconnect() -> None:
        driver._connection._lose("the test says so")
        await eventually(lambda: driver.connection is not ConnectionState.UP, "the connection is given up")
        await eventually(lambda: driver.connection is ConnectionState.UP, "the connection is there again")

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    await reconnect()
    await asyncio.sleep(0.5)
    before = descriptors()
    for _ in range(10):
        await reconnect()
    await eventually(lambda: descriptors() <= before + 2, "descriptors are closed")


async def test_more_calls_at_once_than_libvirt_serves_all_succeed(driver: LibvirtDriver) -> None:
    assert len(await asyncio.gather(*(driver.domains.list_all() for _ in range(50)))) == 50


async def test_a_libvirt_call_on_the_loops_thread_is_refused() -> None:
    with pytest.raises(AssertionError, match="event-loop thread"):
        refuse_on_loop_thread()


async def test_a_handle_is_closed_only_after_the_last_call_that_uses_it() -> None:
    """Also after a call that overstayed its deadline, for which nobody waits any more."""
    connection, goes_on, answers = Connection("test:///default"), threading.Event(), list[str]()

    def slow(handle: libvirt.virConnect) -> None:
        goes_on.wait(20)
        answers.append(handle.getHostname())

    await connection.open()
    try:
        with pytest.raises(DriverUnavailable, match="did not answer"):
            await connection.call(slow, deadline=0.05)
        await eventually(lambda: connection.state is not ConnectionState.UP, "the connection is given up")
        await eventually(lambda: connection.state is ConnectionState.UP, "the connection is there again")
        goes_on.set()
        await eventually(lambda: connection.overdue == 0, "the late call is over")
        assert len(answers) == 1
    finally:
        await connection.close()


@pytest.mark.timeout(60)
async def test_a_connection_that_comes_late_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "CONNECT_SECONDS", 0.2)
    connection = Connection("test:///default")
    opened, closed = list[libvirt.virConnect](), list[libvirt.virConnect]()
    open_seat, close_handle = connection._open_seat, connection._close_handle

    def open_late(seat: Seat) -> libvirt.virConnect:
        handle = open_seat(seat)
        opened.append(handle)
        time.sleep(0.5 if len(opened) == 1 else 0)
        return handle

    def close(lane: Lane, handle: libvirt.virConnect) -> None:
        closed.append(handle)
        close_handle(lane, handle)

    monkeypatch.setattr(connection, "_open_seat", open_late)
    monkeypatch.setattr(connection, "_close_handle", close)
    await connection.open()
    try:
        await eventually(lambda: connection.state is ConnectionState.UP, "the connection is there again")
        await eventually(lambda: opened[0] in closed, "the first handle is closed")
        assert not set(closed) & set(connection._handles.values())
    finally:
        await connection.close()


async def test_a_lookup_whose_reason_was_lost_is_made_again() -> None:
    connection, asked = Connection("test:///default"), list[str]()

    def look(handle: libvirt.virConnect) -> None:
        asked.append("domain")
        if len(asked) == 1:
            libvirt.virResetLastError()
            raise libvirt.libvirtError("virDomainLookupByName() failed")
        handle.lookupByName("nobody")

    await connection.open()
    try:
        with pytest.raises(DriverNotFound):
            await connection.call(look)
        assert len(asked) == 2
    finally:
        await connection.close()
