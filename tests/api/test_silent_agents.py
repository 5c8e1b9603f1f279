"""Guests whose agents do not answer: what they cost the addresses of the others."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from drivers.base import DriverUnavailable, InterfaceAddress
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.orchestration.interfaces import address_watch
from tests.api.client import ApiClient
from tests.api.networks import id_of
from tests.patience import eventually

LOOP = "addresses of guests of local"


class Agents:
    """The guests' agents. Those in ``silent`` let who asks wait so many seconds, for nothing."""

    def __init__(self, driver: MemoryDriver, seconds: float) -> None:
        self._driver = driver
        self._seconds = seconds
        self.silent: set[str] = set()
        self.looks: Counter[str] = Counter()
        self.now = self.most = 0

    async def addresses(self, uuid: str) -> tuple[InterfaceAddress, ...]:
        self.looks[uuid] += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if uuid in self.silent:
                await asyncio.sleep(self._seconds)
                raise DriverUnavailable("the agent does not answer")
            await asyncio.sleep(0.01)
            return self._driver.state.interface_addresses.get(uuid, ())
        finally:
            self.now -= 1


async def started(client: ApiClient, image: str, count: int) -> list[str]:
    """Make so many running Machines, and return their UUIDs."""
    made = [await client.post("machines", client.machine(image, initialState="STARTED")) for _ in range(count)]
    return [id_of(answer.location) for answer in made]


@pytest.fixture
def agents(driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch) -> Agents:
    agents = Agents(driver, 3600.0)
    monkeypatch.setattr(driver.domains, "interface_addresses", agents.addresses)
    return agents


async def test_the_others_addresses_appear_while_some_agents_do_not_answer(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway, agents: Agents
) -> None:
    uuids = await started(admin, image, 5)
    agents.silent = set(uuids[:2])
    for number, uuid in enumerate(uuids[2:]):
        mac = (await admin.document(f"machines/{uuid}/networkInterfaces/0"))["macAddress"]
        driver.state.interface_addresses[uuid] = (InterfaceAddress(mac, f"192.168.122.{44 + number}", 24, "agent"),)

    async def shown() -> bool:
        listed = (await admin.document("addresses")).get("addresses", [])
        return {f"192.168.122.{44 + number}" for number in range(3)} <= {entry["ip"] for entry in listed}

    gateway.supervision.loops[LOOP].hurry()
    await eventually(shown, "the addresses of the others")


async def test_a_silent_agent_is_asked_seldom_and_the_others_as_before(
    admin: ApiClient, image: str, gateway: Gateway, agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuids = await started(admin, image, 2)
    watch = gateway.reconciliation.machines.addresses
    await gateway.supervision.loops[LOOP].stop()
    monkeypatch.setattr(address_watch, "SLOW_SECONDS", 0.5, raising=False)
    agents.silent, agents._seconds = {uuids[0]}, 0.6
    agents.looks.clear()
    watch._looked.clear()
    for _ in range(4):
        await watch.look("local")
    assert agents.looks[uuids[0]] == 1
    assert agents.looks[uuids[1]] >= 2


async def test_no_more_guests_are_asked_at_once_than_a_host_has_room_for(
    admin: ApiClient, image: str, gateway: Gateway, agents: Agents
) -> None:
    await started(admin, image, 6)
    await gateway.supervision.loops[LOOP].stop()
    agents.looks.clear()
    agents.most = 0
    gateway.reconciliation.machines.addresses._looked.clear()
    await gateway.reconciliation.machines.addresses.look("local")
    assert len(agents.looks) == 6
    assert agents.most == address_watch.LOOKS_AT_ONCE


async def test_the_loop_has_stopped_when_all_its_looks_have_ended(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    everybody = asyncio.Event()

    async def reluctant(uuid: str) -> tuple[InterfaceAddress, ...]:
        waiting.add(uuid)
        if len(waiting) == 2:
            everybody.set()
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(10 * len(ended)):
                await asyncio.sleep(0)
            ended.append(uuid)
        return ()

    waiting: set[str] = set()
    uuids = await started(admin, image, 2)
    gateway.reconciliation.machines.addresses._looked.clear()
    monkeypatch.setattr(driver.domains, "interface_addresses", reluctant)
    gateway.supervision.loops[LOOP].hurry()
    await everybody.wait()
    await gateway.supervision.loops[LOOP].stop()
    assert sorted(ended) == sorted(uuids)


async def test_many_surprises_end_the_turn_and_the_next_ones_come_later_until_all_is_well(
    admin: ApiClient, image: str, driver: MemoryDriver, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(uuid: str) -> tuple[InterfaceAddress, ...]:
        asked.add(uuid)
        raise ValueError("nobody thought of this")

    asked: set[str] = set()
    await gateway.supervision.loops[LOOP].stop()
    monkeypatch.setattr(address_watch, "MOST_SURPRISES", 2)
    await started(admin, image, 6)
    watch = gateway.reconciliation.machines.addresses
    monkeypatch.setattr(driver.domains, "interface_addresses", broken)
    await watch.look("local")
    assert 2 <= len(asked) < 6
    rests = [watch.rest("local")]
    await watch.look("local")
    rests.append(watch.rest("local"))
    assert rests == [2 * address_watch.LOOK_EVERY, 4 * address_watch.LOOK_EVERY]
    await watch.look("local")
    assert watch.rest("local") == address_watch.LOOK_EVERY
