"""Faults around a running gateway: guests that ignore the button, full pools, two clients at once, retries."""

from __future__ import annotations

import base64
import errno
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from demo.guest_shell import run_in_guest
from tests import hypervisor
from tests.cimi_client import ACTION, wait_until
from tests.gateway_process import GatewayProcess
from tests.guests import console, machine_create, wait_ready

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


def test_of_two_clients_who_start_one_machine_at_once_one_gets_a_conflict(gateway: GatewayProcess, image: str) -> None:
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
    answers = [client.request("POST", "machines", document, headers={"Idempotency-Key": "once"}) for _ in range(2)]
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


def test_sigterm_ends_soon_while_a_soft_stop_waits_and_the_next_start_takes_it_up(
    gateway: GatewayProcess, image: str
) -> None:
    client = gateway.client()
    machine = client.added("machines", machine_create(image, userData=DEAF))["id"]
    wait_ready(client, machine)
    job = client.act(machine, "stop").job
    client.wait_state(machine, "STOPPING", 5)
    assert gateway.stop() == 0
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(machine, host).isActive()
    gateway.start()
    assert client.get(job)["state"] in ("RUNNING", "FAILED")
    assert client.finish(job)["state"] == "FAILED"
    assert client.get(machine)["state"] == "STARTED"


def test_a_soft_stop_may_be_asked_again_while_one_waits(gateway: GatewayProcess, image: str) -> None:
    client = gateway.client()
    machine = client.added("machines", machine_create(image, userData=DEAF))["id"]
    wait_ready(client, machine)
    first = client.act(machine, "stop", properties={"timeout": "300"}).job
    client.wait_state(machine, "STOPPING", 5)
    second = client.act(machine, "stop").job
    assert client.finish(first)["state"] == "STOPPED"
    assert client.finish(second)["state"] == "FAILED"
    assert client.get(machine)["state"] == "STARTED"


@pytest.fixture
def full(gateway: GatewayProcess, images: Path) -> Iterator[tuple[str, Path]]:
    """URL of an image in a pool of 32 MiB, and the file that can fill the rest."""
    name = f"cimi-full-{uuid.uuid4().hex[:6]}"
    with hypervisor.small_pool(name, 32) as directory:
        gateway.pool = name
        gateway.configure()
        gateway.start()
        document = {"imageLocation": f"file://{images / 'guest.qcow2'}"}
        yield str(gateway.client().added("machineImages", document)["id"]), directory / "filler"
        gateway.kill()


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_a_create_in_a_full_pool_fails_with_the_reason_and_leaves_nothing(
    gateway: GatewayProcess, full: tuple[str, Path]
) -> None:
    image, filler = full
    fill(filler)
    before = hypervisor.files_in(gateway.pool)
    answer = gateway.client().request("POST", "machines", machine_create(image), headers={"Prefer": "respond-async"})
    if answer.status == 202:
        job = gateway.client().finish(answer.job)
        assert job["state"] == "FAILED"
        assert "full" in job["statusMessage"]
    else:
        assert answer.status == 507
    assert hypervisor.files_in(gateway.pool) == before
    assert not hypervisor.domains_using(gateway.pool)


def test_a_guest_held_by_a_full_pool_is_an_error_and_goes_on_when_there_is_space_again(
    gateway: GatewayProcess, full: tuple[str, Path]
) -> None:
    image, filler = full
    client = gateway.client()
    machine = client.added("machines", machine_create(image))["id"]
    wait_ready(client, machine)
    boots = console(client, machine).count("READY")
    fill(filler)
    uuid_text = machine.rpartition("/")[2]
    run_in_guest(uuid_text, "(dd if=/dev/urandom of=/dev/vda2 bs=64k count=64; sync) >/dev/null 2>&1 & true")
    client.wait_state(machine, "ERROR", 60)
    log = client.get(machine)["eventLog"]["href"]
    alarms = client.get(f"{log}/events?$filter=type='alarm'")["events"]
    told = next(event for event in alarms if event["content"]["code"] == "enospc")
    assert (told["outcome"], told["severity"]) == ("Failure", "critical")
    assert "an I/O error on virtio-disk0; the guest is held" in told["content"]["detail"]
    filler.unlink()
    client.acted(machine, "start")
    assert client.get(machine)["state"] == "STARTED"
    assert run_in_guest(uuid_text, "wait; echo alive")[1].strip().endswith("alive")
    assert console(client, machine).count("READY") == boots
