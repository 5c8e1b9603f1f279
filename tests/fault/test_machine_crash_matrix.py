"""The gateway is killed with SIGKILL after every step of machine create and delete, and started again.

Each time the job ends definite, and nothing half-made is left in libvirt, in the pool, or in the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.orchestration.machines.plans import CREATE_STEPS, DELETE_STEPS
from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.system.conftest import machine_create

pytestmark = pytest.mark.qemu


@pytest.fixture
def image(gateway: GatewayProcess, images: Path) -> Iterator[str]:
    gateway.start()
    imported = gateway.client().added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})
    yield str(imported["id"])


def only_the_image(gateway: GatewayProcess) -> bool:
    left = [name for name in hypervisor.files_in(gateway.pool) if not name.startswith("cimi-image-")]
    return not left and not hypervisor.domains_using(gateway.pool)


def killed_after(gateway: GatewayProcess, action: str, step: str) -> None:
    """Restart the gateway so that it kills itself right after this step of this action."""
    gateway.stop()
    gateway.start(CIMI_GATEWAY_CRASH_AFTER=f"{action}:{step}:run")


@pytest.mark.parametrize("step", CREATE_STEPS)
def test_a_create_killed_after_a_step_ends_definite_and_leaves_nothing_half_made(
    gateway: GatewayProcess, image: str, step: str
) -> None:
    killed_after(gateway, "add", step)
    answer = gateway.client().request(
        "POST", "machines", machine_create(image), headers={"Prefer": "respond-async"}
    )
    assert answer.status == 202, answer.body
    gateway.wait_killed()
    gateway.start()
    client = gateway.client()
    job = client.finish(answer.job)
    machine = client.request("GET", answer.headers["location"])
    if job["state"] == "SUCCESS":
        assert machine.json["state"] == "STARTED"
        client.remove(answer.headers["location"])
    else:
        assert machine.status == 404
    assert only_the_image(gateway)


@pytest.mark.parametrize("step", DELETE_STEPS)
def test_a_delete_killed_after_a_step_is_finished_after_the_restart(
    gateway: GatewayProcess, image: str, step: str
) -> None:
    machine = gateway.client().added("machines", machine_create(image))["id"]
    killed_after(gateway, "delete", step)
    answer = gateway.client().request("DELETE", machine, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    gateway.wait_killed()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert gateway.client().request("GET", machine).status == 404
    assert only_the_image(gateway)


def test_guests_go_on_running_when_the_gateway_is_killed_and_when_it_stops(
    gateway: GatewayProcess, image: str
) -> None:
    machine = gateway.client().added("machines", machine_create(image))["id"]
    with hypervisor.connection() as host:
        gateway.kill()
        assert hypervisor.domain_of(machine, host).isActive()
        gateway.start()
        assert gateway.stop() == 0
        assert hypervisor.domain_of(machine, host).isActive()
    gateway.start()
    assert gateway.client().get(machine)["state"] == "STARTED"
