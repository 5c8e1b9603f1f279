"""The gateway's background loops: each goes on after what nobody thought of, and health and metrics tell of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import InterfaceAddress
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.access.uses import TokenUses
from gateway.orchestration.monitoring.audit_log import AuditRetention
from gateway.orchestration.monitoring.clock_watch import ClockWatch
from gateway.orchestration.monitoring.retention import Retention
from gateway.orchestration.monitoring.sample_retention import SampleRetention
from gateway.orchestration.quotas import live
from tests.api.client import ApiClient
from tests.patience import eventually

pytestmark = pytest.mark.slow

Inner = Callable[[Gateway, MemoryDriver], tuple[Any, str]]
LOOPS: dict[str, Inner] = {
    "machines of local": lambda _gateway, driver: (driver.domains, "list_all"),
    "volumes of local": lambda gateway, _driver: (gateway.reconciliation.volumes, "_by_pool"),
    "addresses of guests of local": lambda gateway, _driver: (gateway.reconciliation.machines.addresses, "_due"),
    "statistics of local": lambda _gateway, driver: (driver.statistics, "read"),
    "expiry of meters": lambda gateway, _driver: (gateway.sampler, "expire"),
    "sample retention": lambda _gateway, _driver: (SampleRetention, "thin"),
    "event retention": lambda _gateway, _driver: (Retention, "expire"),
    "job retention": lambda gateway, _driver: (gateway.runner, "expire"),
    "connections": lambda gateway, _driver: (gateway.door, "_connections"),
    "clock": lambda _gateway, _driver: (ClockWatch, "look"),
    "repeated accesses": lambda gateway, _driver: (gateway.accesses, "tell_repeats"),
    "audit retention": lambda _gateway, _driver: (AuditRetention, "expire"),
    "live quotas": lambda _gateway, _driver: (live, "allowances_of"),
    "uses of tokens": lambda _gateway, _driver: (TokenUses, "write"),
    "staging directory": lambda gateway, _driver: (gateway._staging, "sweep"),
    "event stream": lambda gateway, _driver: (gateway.stream, "_deliver"),
    "heartbeat of the event stream": lambda gateway, _driver: (gateway.stream, "_hand_out"),
}
"""By the loop's name: what it works with, and which method of that is broken."""


class Broken:
    """A method that raises ValueError while ``broken``, and is as before afterwards."""

    def __init__(self, original: Any) -> None:
        self._original = original
        self.broken, self.worked = True, 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.broken:
            raise ValueError("nobody thought of this")
        self.worked += 1
        return self._original(*arguments, **named)

    def __get__(self, instance: Any, _owner: Any = None) -> Any:
        """As a method of a class is bound to its instance."""
        return self if instance is None else lambda *arguments, **named: self(instance, *arguments, **named)


async def readiness(admin: ApiClient) -> tuple[int, list[str]]:
    answer = await admin.get(admin.base.removesuffix("cimi/") + "health/ready")
    return answer.status, answer.json["reasons"]


def hurry(gateway: Gateway, name: str) -> None:
    gateway.supervision.loops[name].hurry()
    if name == "event stream":
        gateway.stream._some.set()


def test_each_loop_of_the_gateway_is_broken_by_these_tests(gateway: Gateway) -> None:
    assert set(gateway.supervision.loops) == set(LOOPS)


@pytest.mark.parametrize("name", LOOPS)
async def test_a_loop_goes_on_after_a_surprise_and_readiness_tells_of_it_meanwhile(
    name: str, gateway: Gateway, driver: MemoryDriver, admin: ApiClient, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, method = LOOPS[name](gateway, driver)
    inner = Broken(getattr(place, method))
    monkeypatch.setattr(place, method, inner)
    hurry(gateway, name)
    await eventually(lambda: name in gateway.supervision.in_trouble, f"{name} has failed")
    assert await readiness(admin) == (503, [f"{name}: failed, and is tried again"])
    inner.broken = False

    def goes_on() -> bool:
        hurry(gateway, name)
        return inner.worked > 0 and gateway.supervision.in_trouble == ()

    await eventually(goes_on, f"{name} goes on")
    assert await readiness(admin) == (200, [])
    metrics = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
    counted = [line for line in metrics.text.splitlines() if line.startswith("cimi_gateway_loop_failures_total")]
    assert [line for line in counted if f'"{name}"' in line and not line.endswith(" 0.0")]


async def test_what_one_guest_says_keeps_nobody_from_looking_at_the_others(
    gateway: Gateway, driver: MemoryDriver, admin: ApiClient, image: str
) -> None:
    uuids, macs = [], []
    for _ in range(2):
        made = await admin.post("machines", admin.machine(image, initialState="STARTED"), Prefer="wait=30")
        assert made.status == 201, made.text
        uuids.append(made.location.rpartition("/")[2])
        macs.append((await admin.get(f"{made.location}/networkInterfaces/0")).json["macAddress"])
    driver.state.interface_addresses[uuids[0]] = (InterfaceAddress(macs[0], "no address at all", 24, "agent"),)
    driver.state.interface_addresses[uuids[1]] = (InterfaceAddress(macs[1], "192.168.122.44", 24, "lease"),)
    gateway.reconciliation.machines.addresses._looked.clear()

    async def shown() -> list[str]:
        listed = await admin.get("addresses")
        return [entry["ip"] for entry in listed.json.get("addresses", [])]

    known = gateway.reconciliation.machines.addresses._known
    for _ in range(2):
        gateway.supervision.loops["addresses of guests of local"].hurry()
        await eventually(lambda: known.get(f"machines/{uuids[1]}"), "the second guest is seen")
    assert await shown() == ["192.168.122.44"]
    assert (await readiness(admin))[0] == 200
    assert gateway.supervision.failures["addresses of guests of local"] >= 1
