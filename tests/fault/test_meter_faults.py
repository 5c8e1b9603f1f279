"""Sampling goes on for others while one guest is frozen, and begins again by itself after libvirtd was away."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from tests.cimi_client import CimiClient, wait_until
from tests.fault.libvirtd import ready, start_libvirtd, stop_libvirtd
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.held_guest import held

pytestmark = pytest.mark.qemu
LONG = 120


@pytest.fixture
def meters(gateway: GatewayProcess, images: Path) -> Iterator[list[str]]:
    """Memory meters of two running Machines, looked at every second."""
    gateway.monitoring = "period = 1\ndefault_interval = 1"
    gateway.configure()
    gateway.start()
    client = gateway.client()
    image = client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"]
    asked = [{"meterConfig": {"aspect": "memory"}}]
    made = [client.added("machines", machine_create(image, meterTemplates=asked))["id"] for _ in range(2)]
    found = [client.get(f"{machine}/meters")["meters"][0]["id"] for machine in made]
    wait_until(lambda: all(moments(client, meter) for meter in found), LONG, "both are measured")
    yield found


def moments(client: CimiClient, meter: str) -> list[datetime]:
    listed = client.get(f"{meter}/samples").get("samples", [])
    return [datetime.fromisoformat(sample["timestamp"]) for sample in listed]


def machine_of(client: CimiClient, meter: str) -> str:
    return str(client.get(meter)["targetResource"]["href"])


def test_a_frozen_guest_makes_gaps_of_its_own_and_none_for_others(gateway: GatewayProcess, meters: list[str]) -> None:
    client = gateway.client()
    frozen, other = meters
    with held(machine_of(client, frozen)):
        before = [len(moments(client, meter)) for meter in meters]
        wait_until(lambda: len(moments(client, other)) > before[1] + 8, LONG, "the other guest goes on being measured")
        assert len(moments(client, frozen)) <= before[0] + 1
        alarms = client.get("eventLogs/everything/events?$filter=type='alarm'").get("events", [])
        assert "hypervisor-lost" not in [alarm["content"]["code"] for alarm in alarms]
    since = len(moments(client, frozen))
    wait_until(lambda: len(moments(client, frozen)) > since + 1, LONG, "the thawed guest is measured again")


def test_a_frozen_guest_does_not_hold_up_the_end_of_the_gateway(gateway: GatewayProcess, meters: list[str]) -> None:
    """A call about it waits for ever, and the thread that makes it."""
    client = gateway.client()
    frozen, other = meters
    with held(machine_of(client, frozen)):
        seen = len(moments(client, other))
        wait_until(lambda: len(moments(client, other)) > seen + 8, LONG, "the call is given up")
        assert gateway.stop() == 0


@pytest.mark.exclusive
def test_a_stopped_libvirtd_makes_gaps_and_sampling_begins_again_by_itself(
    gateway: GatewayProcess, meters: list[str]
) -> None:
    client = gateway.client()
    stop_libvirtd()
    try:
        wait_until(lambda: not ready(gateway), 10, "the gateway notices")
        before = moments(client, meters[0])
    finally:
        start_libvirtd()
    wait_until(lambda: len(moments(client, meters[0])) > len(before) + 2, LONG, "sampling begins again")
    values = [sample["value"] for sample in client.get(f"{meters[0]}/samples")["samples"]]
    assert all(float(value) > 0 for value in values)
