"""systemd's watchdog is fed though one datagram could not be sent."""

from __future__ import annotations

import pytest

from drivers.supervision import Supervision
from gateway import systemd_notify
from tests.patience import eventually


async def test_the_watchdog_is_fed_again_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def notify(line: str) -> None:
        sent.append(line)
        if len(sent) == 1:
            raise OSError("no buffer space")

    monkeypatch.setattr(systemd_notify, "notify", notify)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    supervision = Supervision()
    systemd_notify.keep_alive(supervision, lambda: True)
    await eventually(lambda: sent, "the first datagram")
    supervision.loops["watchdog"].hurry()
    await eventually(lambda: len(sent) > 2, "more datagrams")
    await supervision.loops["watchdog"].stop()


async def test_a_gateway_that_is_not_alive_starves_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def notify(line: str) -> None:
        sent.append(line)

    monkeypatch.setattr(systemd_notify, "notify", notify)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    supervision, looked = Supervision(), list[int]()

    def alive() -> bool:
        looked.append(1)
        return False

    systemd_notify.keep_alive(supervision, alive)
    await eventually(lambda: len(looked) > 2, "several looks")
    await supervision.loops["watchdog"].stop()
    assert sent == []


async def test_without_a_watchdog_of_systemd_there_is_no_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    supervision = Supervision()
    systemd_notify.keep_alive(supervision, lambda: True)
    assert supervision.loops == {}
