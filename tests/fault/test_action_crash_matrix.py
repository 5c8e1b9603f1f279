"""The gateway is killed with SIGKILL after every step of soft actions, edits and image deletes, and started again.

One gateway and one guest for all of them: each test finds the guest booted, and leaves it so that it can boot again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.fault.crashes import after_restart, killed_after
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create, wait_ready

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(300)]
LATER = {"Prefer": "respond-async"}


@dataclass
class Guest:
    url: str
    boots: int = 1


@pytest.fixture(scope="module")
def gateway(shared_pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), shared_pool, images)
    process.prepare()
    process.start()
    yield process
    process.kill()


@pytest.fixture(scope="module")
def image(gateway: GatewayProcess, images: Path) -> str:
    return imported(gateway, images)


def imported(gateway: GatewayProcess, images: Path) -> str:
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    return str(gateway.client().added("machineImages", document)["id"])


@pytest.fixture(scope="module")
def made(gateway: GatewayProcess, image: str) -> Guest:
    return Guest(str(gateway.client().added("machines", machine_create(image))["id"]))


@pytest.fixture
def booted(gateway: GatewayProcess, made: Guest) -> Guest:
    """It runs, and has booted, so that it hears the power button."""
    client = gateway.client()
    if client.get(made.url)["state"] == "STOPPED":
        client.acted(made.url, "start")
        made.boots += 1
    wait_ready(client, made.url, made.boots, 150)
    return made


def domain_facts(booted: Guest) -> dict[str, Any]:
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(booted.url, host)
        return {"active": bool(domain.isActive()), "cpus": domain.vcpusFlags(2), "title": domain.metadata(1, None)}


@pytest.mark.parametrize("step", ["shut down", "settle machine"])
def test_a_soft_stop_killed_after_a_step_is_finished(gateway: GatewayProcess, booted: Guest, step: str) -> None:
    killed_after(gateway, "stop", step)
    assert after_restart(gateway, gateway.client().act(booted.url, "stop"))["state"] == "SUCCESS"
    assert gateway.client().get(booted.url)["state"] == "STOPPED"
    assert not domain_facts(booted)["active"]


@pytest.mark.parametrize("step", ["shut down", "start domain", "settle machine"])
def test_a_soft_restart_killed_after_a_step_boots_the_guest_once(
    gateway: GatewayProcess, booted: Guest, step: str
) -> None:
    killed_after(gateway, "restart", step)
    assert after_restart(gateway, gateway.client().act(booted.url, "restart"))["state"] == "SUCCESS"
    booted.boots += 1
    assert gateway.client().get(booted.url)["state"] == "STARTED"
    assert domain_facts(booted)["active"]


@pytest.mark.parametrize(("step", "cpus"), [("resize domain", 2), ("describe domain", 1)])
def test_an_edit_killed_after_a_step_is_finished(gateway: GatewayProcess, made: Guest, step: str, cpus: int) -> None:
    killed_after(gateway, "edit", step)
    document = {"cpu": cpus, "name": f"after {step}"}
    client = gateway.client()
    answer = client.request("PUT", f"{made.url}?$select=cpu,name", document, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    shown = gateway.client().get(made.url)
    assert (shown["cpu"], shown["name"]) == (cpus, f"after {step}")
    facts = domain_facts(made)
    assert (facts["cpus"], facts["title"]) == (cpus, f"after {step}")


@pytest.mark.parametrize("step", ["delete image", "settle image"])
def test_an_image_delete_killed_after_a_step_is_finished(
    gateway: GatewayProcess, images: Path, image: str, step: str
) -> None:
    before = hypervisor.files_in(gateway.pool)
    doomed = imported(gateway, images)
    killed_after(gateway, "delete", step)
    assert after_restart(gateway, gateway.client().request("DELETE", doomed, headers=LATER))["state"] == "SUCCESS"
    assert gateway.client().request("GET", doomed).status == 404
    assert hypervisor.files_in(gateway.pool) == before
    assert gateway.client().get(image)["state"] == "AVAILABLE"
