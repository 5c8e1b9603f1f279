"""Pausing by libvirt while it holds a domain itself for a moment, or its guest sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import libvirt
import pytest

from drivers.base import DriverBusy
from drivers.libvirt import domains as module
from drivers.libvirt.connection import Connection
from drivers.libvirt.console import Console
from drivers.libvirt.definitions import Definitions
from drivers.libvirt.domains import Domains
from drivers.libvirt.lease_returns import LeaseReturns

RUNNING = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED)
BY_USER = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER)
ASLEEP = (libvirt.VIR_DOMAIN_PMSUSPENDED, 0)
SNAPSHOT = (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT)


class Domain:
    """libvirt's domain, as far as pausing goes: what is ``held`` goes on after so many looks."""

    def __init__(self, state: tuple[int, int], held: int = 0) -> None:
        self._state = state
        self._held = held
        self.calls: list[str] = []

    def state(self) -> tuple[int, int]:
        if self._state == SNAPSHOT:
            self._held -= 1
            if self._held < 0:
                self._state = RUNNING
        return self._state

    def suspend(self) -> None:
        assert self._state != ASLEEP
        self.calls.append("suspend")
        if self._state == RUNNING:
            self._state = BY_USER

    def resume(self) -> None:
        self.calls.append("resume")
        self._state = RUNNING

    def pMWakeup(self) -> None:  # noqa: N802 - libvirt's name
        self.calls.append("wake")


class Host:
    """In the place of the connection and its handle: one domain, and calls on this thread."""

    uri = "qemu:///system"

    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def lookupByUUIDString(self, _uuid: str) -> Domain:  # noqa: N802 - libvirt's name
        return self._domain

    async def call(self, function: Callable[[Any], Any], **_how: object) -> Any:
        return function(self)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0)


def domains(domain: Domain) -> Domains:
    nothing = object()
    return Domains(
        cast(Connection, Host(domain)),
        cast(Definitions, nothing),
        cast(Console, nothing),
        cast(LeaseReturns, nothing),
    )


async def test_a_running_domain_is_suspended_once() -> None:
    domain = Domain(RUNNING)
    for _ in range(2):
        await domains(domain).pause("u")
    assert domain.calls == ["suspend"]


async def test_a_domain_that_sleeps_is_paused_already() -> None:
    domain = Domain(ASLEEP)
    await domains(domain).pause("u")
    assert domain.calls == []


async def test_a_domain_that_libvirt_holds_for_a_moment_is_suspended_afterwards() -> None:
    domain = Domain(SNAPSHOT, held=3)
    await domains(domain).pause("u")
    assert domain.state() == BY_USER


async def test_a_domain_that_libvirt_holds_for_ever_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOMENT", 0)
    with pytest.raises(DriverBusy):
        await domains(Domain(SNAPSHOT, held=10**6)).pause("u")


async def test_a_domain_that_libvirt_holds_for_a_moment_is_not_resumed() -> None:
    domain = Domain(SNAPSHOT, held=10)
    await domains(domain).resume("u")
    assert domain.calls == []
