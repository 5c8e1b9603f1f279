"""Faults around a running gateway: guests that ignore the button, full pools, two clients at once, retries."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import ACTION, wait_until
from tests.gateway_process import GatewayProcess
from tests.system.conftest import machine_create, wait_ready

pytestmark = pytest.mark.qemu
DEAF = base64.b64encode(b"#!/bin/sh\nkillall acpid\n").decode()


@pytest.fixture
def image(gateway: GatewayProcess, images: Path) -> str:
    gateway.jobs = "stop_deadline = 6"
    gateway.configure()
    gateway.start()
    imported = gateway.client().added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    return str(imported["id"])


def test_a_guest_that_ignores_the_power_button_fails_the_stop_and_stays_started(
    gateway: GatewayProcess, image: str
) -> None:
    client = gateway.client()
    machine = client.added("machines", machine_create(image, userData=DEAF))["id"]
    wait_ready(client, machine)
    job = client.finish(client.act(machine, "stop").job)
    assert job["state"] == "FAILED"
    assert "force" in job["statusMessage"]
    assert client.get(machine)["state"] == "STARTED"


def test_a_forced_stop_takes_effect_while_a_soft_stop_waits(gateway: GatewayProcess, image: str) -> None:
    client = gateway.client()
    machine = client.added("machines", machine_create(image, userData=DEAF))["id"]
    wait_ready(client, machine)
    soft = client.act(machine, "stop").job
    client.wait_state(machine, "STOPPING", 5)
    client.acted(machine, "stop", force=True, seconds=5)
    assert client.get(machine)["state"] == "STOPPED"
    assert client.finish(soft)["state"] in ("STOPPED", "SUCCESS")


def test_of_two_clients_who_start_one_machine_at_once_one_gets_a_conflict(
    gateway: GatewayProcess, image: str
) -> None:
    client = gateway.client()
    machine = client.added("machines", machine_create(image, "STOPPED"))["id"]
    action = {"action": ACTION + "start"}
    with ThreadPoolExecutor(2) as clients:
        answers = list(clients.map(lambda _n: client.request("POST", f"{machine}/start", action), range(2)))
    assert sorted(answer.status for answer in answers) == [202, 409]
    client.wait_state(machine, "STARTED")


def test_a_create_retried_with_the_same_key_makes_one_machine(gateway: GatewayProcess, image: str) -> None:
    client = gateway.client()
    document = machine_create(image, "STOPPED")
    answers = [
        client.request("POST", "machines", document, headers={"Idempotency-Key": "once"}) for _ in range(2)
    ]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert answers[0].job == answers[1].job
    assert client.get("machines")["count"] == 1


def test_delete_while_creating_leaves_nothing(gateway: GatewayProcess, image: str) -> None:
    client = gateway.client()
    answer = client.request("POST", "machines", machine_create(image), headers={"Prefer": "respond-async"})
    location = answer.headers["location"]
    removed = client.request("DELETE", location)
    assert removed.status in (200, 202), removed.body
    client.finish(removed.job)
    wait_until(lambda: client.request("GET", location).status == 404, 30, "the machine is gone")
    assert not hypervisor.domains_using(gateway.pool)
    left = [name for name in hypervisor.files_in(gateway.pool) if not name.startswith("cimi-image-")]
    assert left == []
