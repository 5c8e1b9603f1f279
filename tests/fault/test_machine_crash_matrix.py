"""The gateway is killed with SIGKILL after every step of machine create and delete, and started again.

Each time the job ends definite, and nothing half-made is left in libvirt, in the pool, or in the store.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.orchestration.machines import plan
from tests import hypervisor
from tests.fault.crashes import killed_after
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create

pytestmark = pytest.mark.qemu
CREATE_STEPS = tuple(step.name for step in plan.CREATE_STEPS)
DELETE_STEPS = tuple(step.name for step in plan.DELETE_STEPS)


@pytest.fixture
def gateway(shared: GatewayProcess, image: str) -> Iterator[GatewayProcess]:
    """With the image alone, before and after."""
    yield shared
    shared.revive()
    client = shared.client()
    for machine in client.get("machines").get("machines", []):
        client.remove(machine["id"])
    assert only_the_image(shared)


def only_the_image(gateway: GatewayProcess) -> bool:
    left = [name for name in hypervisor.files_in(gateway.pool) if not name.startswith("cimi-image-")]
    return not left and not hypervisor.domains_using(gateway.pool)


@pytest.mark.parametrize("step", [*CREATE_STEPS, "settle machine"])
def test_a_create_killed_after_a_step_ends_definite_and_leaves_nothing_half_made(
    gateway: GatewayProcess, image: str, step: str
) -> None:
    killed_after(gateway, "add", step)
    answer = gateway.client().request("POST", "machines", machine_create(image), headers={"Prefer": "respond-async"})
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


@pytest.mark.parametrize("step", [*DELETE_STEPS, "settle machine"])
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


@pytest.fixture
def dead_network(gateway: GatewayProcess) -> Iterator[str]:
    """The gateway's network is one that runs on a bridge which is not there: a create fails in its last step."""
    name = f"cimi-no-{uuid.uuid4().hex[:6]}"
    with hypervisor.connection() as host:
        network = host.networkDefineXML(
            f"<network><name>{name}</name><forward mode='bridge'/><bridge name='{name}'/></network>"
        )
        network.create()
        gateway.network, usual = name, gateway.network
        gateway.configure()
        gateway.stop()
        yield name
        gateway.stop()
        gateway.network = usual
        gateway.configure()
        network.destroy()
        network.undefine()


@pytest.mark.parametrize("step", CREATE_STEPS[::-1])
def test_a_failing_create_killed_after_an_undo_is_undone_to_the_end(
    gateway: GatewayProcess, image: str, dead_network: str, step: str
) -> None:
    killed_after(gateway, "add", step, "undo")
    answer = gateway.client().request("POST", "machines", machine_create(image), headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    gateway.wait_killed()
    gateway.start()
    job = gateway.client().finish(answer.job)
    assert job["state"] == "FAILED"
    assert dead_network in job["statusMessage"]
    assert gateway.client().request("GET", answer.headers["location"]).status == 404
    assert only_the_image(gateway)


ACTIONS = [
    ("stop", {"force": True}, "power off", "STOPPED"),
    ("restart", {"force": True}, "power off", "STARTED"),
    ("restart", {"force": True}, "start domain", "STARTED"),
    ("pause", {}, "pause domain", "PAUSED"),
    ("suspend", {}, "suspend domain", "SUSPENDED"),
]


@pytest.mark.timeout(600)
def test_an_action_killed_after_a_step_is_finished_after_the_restart(gateway: GatewayProcess, image: str) -> None:
    machine = gateway.client().added("machines", machine_create(image))["id"]
    for verb, parameters, step, state in ACTIONS:
        killed_after(gateway, verb, step)
        job = gateway.client().act(machine, verb, **parameters).job
        gateway.wait_killed()
        gateway.start()
        gateway.client().succeed(job)
        assert gateway.client().get(machine)["state"] == state
        if state != "STARTED":
            killed_after(gateway, "start", "start domain")
            job = gateway.client().act(machine, "start").job
            gateway.wait_killed()
            gateway.start()
            gateway.client().succeed(job)
            assert gateway.client().get(machine)["state"] == "STARTED"


def test_an_import_killed_on_its_way_leaves_one_whole_image(gateway: GatewayProcess, image: str, images: Path) -> None:
    killed_after(gateway, "add", "copy image")
    document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
    answer = gateway.client().request("POST", "machineImages", document, headers={"Prefer": "respond-async"})
    gateway.wait_killed()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert gateway.client().get(answer.headers["location"])["state"] == "AVAILABLE"
    assert len(hypervisor.files_in(gateway.pool)) == 2
    gateway.client().remove(answer.headers["location"])
    assert len(hypervisor.files_in(gateway.pool)) == 1


def test_guests_go_on_running_when_the_gateway_is_killed_and_when_it_stops(gateway: GatewayProcess, image: str) -> None:
    machine = gateway.client().added("machines", machine_create(image))["id"]
    with hypervisor.connection() as host:
        gateway.kill()
        assert hypervisor.domain_of(machine, host).isActive()
        gateway.start()
        assert gateway.stop() == 0
        assert hypervisor.domain_of(machine, host).isActive()
    gateway.start()
    assert gateway.client().get(machine)["state"] == "STARTED"
