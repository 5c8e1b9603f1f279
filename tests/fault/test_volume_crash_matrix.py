"""The gateway is killed with SIGKILL after every step of volume create, attach and detach, and started again.

Each time the job ends definite, nothing half-made is left, and the bytes of what existed before are as they were.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests import hypervisor
from tests.fault.crashes import LATER, after_restart, killed_after
from tests.fault.volumes import (
    CAPACITY,
    checksum,
    connected,
    create,
    disconnected,
    file_of,
    fill,
    recognised,
    volumes_in,
)
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create

pytestmark = pytest.mark.qemu


@pytest.fixture
def gateway(shared: GatewayProcess) -> Iterator[GatewayProcess]:
    """Without any Volume, before and after."""
    yield shared
    shared.revive()
    client = shared.client()
    for volume in client.get("volumes").get("volumes", []):
        client.remove(volume["id"])
    assert volumes_in(shared) == []


@pytest.mark.parametrize("step", ["create volume", "settle volume"])
def test_a_volume_create_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    old = gateway.client().added("volumes", create())["id"]
    before = fill(gateway, old)
    killed_after(gateway, "add", step)
    answer = gateway.client().request("POST", "volumes", create(), headers=LATER)
    job = after_restart(gateway, answer)
    assert job["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(answer.headers["location"])["state"] == "AVAILABLE"
    assert len(volumes_in(gateway)) == 2
    client.remove(answer.headers["location"])
    assert checksum(gateway, old) == before


@pytest.mark.parametrize("step", ["reserve volume", "format volume", "settle volume"])
def test_a_volume_with_a_file_system_is_finished_with_it(gateway: GatewayProcess, step: str) -> None:
    killed_after(gateway, "add", step)
    document = {"volumeTemplate": {"volumeConfig": {"capacity": CAPACITY, "format": "ext4"}}}
    answer = gateway.client().request("POST", "volumes", document, headers=LATER)
    job = after_restart(gateway, answer)
    assert job["state"] == "SUCCESS"
    made = answer.headers["location"]
    assert gateway.client().get(made)["state"] == "AVAILABLE"
    assert len(volumes_in(gateway)) == 1
    raw = gateway.home / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(file_of(gateway, made)), str(raw)], check=True, timeout=60)
    assert recognised(raw) == "ext4"
    assert not any((gateway.home / "staging").glob("volumes-*"))
    gateway.client().remove(made)


@pytest.mark.parametrize("step", ["delete volume", "settle volume"])
def test_a_volume_delete_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    old, doomed = (gateway.client().added("volumes", create())["id"] for _ in range(2))
    before = fill(gateway, old)
    killed_after(gateway, "delete", step)
    job = after_restart(gateway, gateway.client().request("DELETE", doomed, headers=LATER))
    assert job["state"] == "SUCCESS"
    assert gateway.client().request("GET", doomed).status == 404
    assert [file_of(gateway, old).name] == volumes_in(gateway)
    assert checksum(gateway, old) == before


def test_a_growth_killed_in_the_middle_is_finished_and_keeps_the_bytes(gateway: GatewayProcess) -> None:
    volume = gateway.client().added("volumes", create())["id"]
    fill(gateway, volume)
    head = file_of(gateway, volume).read_bytes()
    killed_after(gateway, "edit", "grow volume")
    answer = gateway.client().request("PUT", f"{volume}?$select=capacity", {"capacity": 2 * CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert gateway.client().get(volume)["capacity"] == 2 * CAPACITY
    grown = file_of(gateway, volume).read_bytes()
    assert len(grown) >= 2 * CAPACITY * 1000
    assert grown[: len(head)] == head


@pytest.mark.parametrize("step", ["attach volume", "settle attachment"])
def test_an_attachment_killed_after_a_step_is_finished(gateway: GatewayProcess, machine: str, step: str) -> None:
    volume = gateway.client().added("volumes", create())["id"]
    before = fill(gateway, volume)
    killed_after(gateway, "add", step)
    document = {"volume": {"href": volume}}
    answer = gateway.client().request("POST", f"{machine}/volumes", document, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert connected(gateway, machine, volume)
    assert client.request("DELETE", volume).status == 409
    client.remove(answer.headers["location"])
    assert disconnected(gateway, machine, volume)
    assert checksum(gateway, volume) == before


@pytest.mark.parametrize("step", ["detach volume", "settle attachment"])
def test_a_detachment_killed_after_a_step_is_finished(gateway: GatewayProcess, machine: str, step: str) -> None:
    client = gateway.client()
    volume = client.added("volumes", create())["id"]
    before = fill(gateway, volume)
    answer = client.request("POST", f"{machine}/volumes", {"volume": {"href": volume}})
    client.succeed(answer.job)
    attachment = answer.headers["location"]
    killed_after(gateway, "delete", step)
    assert after_restart(gateway, gateway.client().request("DELETE", attachment, headers=LATER))["state"] == "SUCCESS"
    client = gateway.client()
    assert client.request("GET", attachment).status == 404
    assert disconnected(gateway, machine, volume)
    assert checksum(gateway, volume) == before


@pytest.mark.parametrize("step", ["create disk", "attach disk", "settle disk"])
def test_a_disk_killed_after_a_step_is_there_once(gateway: GatewayProcess, machine: str, step: str) -> None:
    before = hypervisor.files_in(gateway.pool)
    killed_after(gateway, "add", step)
    answer = gateway.client().request("POST", f"{machine}/disks", {"capacity": CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(f"{machine}/disks")["count"] == 2
    assert len(hypervisor.files_in(gateway.pool)) == len(before) + 1
    client.remove(answer.headers["location"])
    assert hypervisor.files_in(gateway.pool) == before


@pytest.mark.parametrize("step", ["grow disk", "settle grown disk"])
def test_a_disk_killed_while_it_grows_has_grown(gateway: GatewayProcess, machine: str, step: str) -> None:
    added = gateway.client().request("POST", f"{machine}/disks", {"capacity": CAPACITY})
    gateway.client().succeed(added.job)
    disk = added.headers["location"]
    killed_after(gateway, "edit", step)
    answer = gateway.client().request("PUT", disk, {"capacity": 2 * CAPACITY}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    assert client.get(disk)["capacity"] == 2 * CAPACITY
    assert client.operation(client.get(disk), "edit") is not None
    with hypervisor.connection() as host:
        assert hypervisor.domain_of(machine, host).blockInfo("vdb")[0] >= 2 * CAPACITY * 1000
    client.remove(disk)


@pytest.mark.parametrize("step", ["create volume", "attach volume"])
def test_a_machine_create_killed_with_its_volumes_half_made_is_finished(
    gateway: GatewayProcess, image: str, step: str
) -> None:
    client = gateway.client()
    old = client.added("volumes", create())["id"]
    before = fill(gateway, old)
    killed_after(gateway, "add", step)
    template = {"volumes": [{"href": old}], "volumeTemplates": [create()["volumeTemplate"]]}
    document = machine_create(image, "STOPPED", **template)
    answer = gateway.client().request("POST", "machines", document, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    client = gateway.client()
    made = answer.headers["location"]
    assert client.get(f"{made}/volumes")["count"] == 2
    client.remove(made)
    assert len(volumes_in(gateway)) == 2
    assert checksum(gateway, old) == before
