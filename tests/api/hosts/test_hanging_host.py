"""A host that hangs holds up what is asked of it, and nothing of other hosts."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import InterfaceAddress
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.event_logs import until
from tests.api.hosts.moves import is_on, migrate
from tests.urls import uuid_of

pytestmark = pytest.mark.slow


async def test_addresses_of_guests_are_seen_while_another_host_does_not_answer(
    admin: ApiClient,
    gateway: Gateway,
    image: str,
    driver: MemoryDriver,
    other: MemoryDriver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = asyncio.Event()

    async def hangs(_uuid: str) -> tuple[InterfaceAddress, ...]:
        asked.set()
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr(other.domains, "interface_addresses", hangs)
    stuck = (await admin.post("machines", admin.machine(image), Prefer="wait=30")).location
    migrate(stuck, driver, other)
    await is_on(gateway, stuck, "other")
    async with asyncio.timeout(60):
        await asked.wait()
    machine = (await admin.post("machines", admin.machine(image), Prefer="wait=30")).location
    interface = (await admin.document(f"{machine}/networkInterfaces"))["machineNetworkInterfaces"][0]
    found = InterfaceAddress(interface["macAddress"], "192.0.2.7", 24, "lease")
    driver.state.interface_addresses[uuid_of(machine)] = (found,)

    async def seen() -> bool:
        addresses = (await admin.document(interface["addresses"]["href"])).get("machineNetworkInterfaceAddresses", [])
        return bool(addresses)

    await until(seen, "the address is seen")
