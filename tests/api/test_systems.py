"""Systems made of descriptors of every type, by reference and by name, and removed again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.systems import described, made, machine, members, network, on, system, volume

KEY = "ssh-ed25519 AAAA me@here"


async def test_a_system_is_made_of_components_that_refer_to_each_other_by_name(admin: ApiClient, image: str) -> None:
    url = await made(
        admin,
        machine(
            image,
            quantity=2,
            credential={"href": "#ops"},
            volumes=[{"href": "#data", "initialLocation": "/dev/vdb"}],
            networkInterfaces=on("front"),
        ),
        volume(quantity=2),
        described("Credential", {"userName": "admin", "password": "secret"}, "ops"),
        network(),
    )
    shown = await admin.document(url)
    assert (shown["name"], shown["state"]) == ("shop", "STARTED")
    machines = await members(admin, url, "machines")
    assert sorted(machines) == ["web1", "web2"]
    front = (await members(admin, url, "networks"))["front"]["id"]
    volumes = await members(admin, url, "volumes")
    for number in ("1", "2"):
        found = machines[f"web{number}"]
        interfaces = await admin.document(found["networkInterfaces"]["href"])
        assert interfaces["machineNetworkInterfaces"][0]["network"]["href"] == front
        connected = await admin.document(found["volumes"]["href"])
        assert connected["machineVolumes"][0]["volume"]["href"] == volumes[f"data{number}"]["id"]
    assert list(await members(admin, url, "credentials")) == ["ops"]
