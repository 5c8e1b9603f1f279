"""The loops by which a libvirt driver lives: they go on after what nobody thought of. On libvirt's own test driver."""

from __future__ import annotations

import libvirt
import pytest

from drivers.base import ConnectionState, DriverEvent, EventKind, HypervisorSettings
from drivers.libvirt import event_loop
from drivers.libvirt.connection import Connection
from drivers.libvirt.driver import LibvirtDriver
from drivers.supervision import Supervision
from tests.patience import eventually

LOOP = "connection of local"


def break_once(monkeypatch: pytest.MonkeyPatch, place: object, method: str) -> list[str]:
    """Make a coroutine method raise ValueError at its first call; what it was called, once it was."""
    original, broken = getattr(place, method), list[str]()

    async def work(*arguments: object) -> object:
        if not broken:
            broken.append(method)
            raise ValueError("nobody thought of this")
        return await original(*arguments)

    monkeypatch.setattr(place, method, work)
    return broken


async def test_a_surprise_while_connecting_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, supervision = Connection("test:///default", "local"), Supervision()
    connection.supervision = supervision
    broken = break_once(monkeypatch, connection, "_connect")
    await connection.open()
    assert broken
    assert (connection.state, supervision.in_trouble) == (ConnectionState.DOWN, (LOOP,))
    supervision.loops[LOOP].hurry()
    await eventually(lambda: connection.state is ConnectionState.UP, "it is connected")
    await connection.close()
    assert supervision.failures[LOOP] == 1


async def test_a_connected_hypervisor_is_in_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection("test:///default", "local")
    break_once(monkeypatch, connection, "_connect")
    await connection.open()
    connection.supervision.loops[LOOP].hurry()
    await eventually(lambda: connection.state is ConnectionState.UP, "it is connected")
    assert connection.supervision.in_trouble == ()
    await connection.close()


def test_a_listener_that_fails_deafens_no_other() -> None:
    driver, heard = LibvirtDriver(HypervisorSettings("local", "test:///default", "default", "default")), list[str]()
    supervision = Supervision()
    driver.supervise(supervision)

    def odd(_event: object) -> None:
        raise ValueError("nobody thought of this")

    driver.subscribe(odd)
    driver.subscribe(lambda event: heard.append(event.hypervisor))
    driver._events.emit(DriverEvent("local", EventKind.CONNECTION, state=ConnectionState.DOWN))
    assert heard == ["local"]
    assert supervision.failures["events of local"] == 1


class EndOfTest(BaseException):
    """Ends what goes on after every Exception."""


def test_libvirts_event_loop_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop, "PAUSE", 0.0)
    turns = iter([libvirt.libvirtError("the loop failed"), EndOfTest()])

    def turn() -> None:
        raise next(turns)

    with pytest.raises(EndOfTest):
        event_loop._run(turn)
