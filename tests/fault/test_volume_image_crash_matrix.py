"""The gateway is killed with SIGKILL after every step that makes images of Volumes and Volumes of images.

Each time the job ends definite after the restart, nothing half-made is left, and the bytes of the Volume and of the
image that existed before are as they were.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.orchestration.images.facts import Route
from gateway.orchestration.images.steps import filling_steps
from tests import hypervisor
from tests.cimi_client import Answer, wait_until
from tests.fault.crashes import LATER, after_restart, killed_after
from tests.fault.volumes import checksum, create, fill
from tests.gateway_process import GatewayProcess
from tests.web_server import WebServer
from tests.web_server import running as serving

pytestmark = pytest.mark.qemu
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(4 * 1024**2 - 512)
BIG = 32 * 1024**2
COPYING = ["copy volume", "settle copied volume"]
FILLING = {route.value: [step.name for step in filling_steps("", route)] for route in Route}
BY_VALUE = [
    (way, step) for way, steps in FILLING.items() for step in ("reserve volume", *steps, "fit volume", "settle volume")
]


@pytest.fixture(scope="module")
def before(shared: GatewayProcess, machine: str) -> list[str]:
    """The files in the pool that no test may change in number."""
    return hypervisor.files_in(shared.pool)


@pytest.fixture
def gateway(shared: GatewayProcess, before: list[str]) -> Iterator[GatewayProcess]:
    """Without any Volume and VolumeImage, before and after."""
    yield shared
    shared.revive()
    client = shared.client()
    for kind in ("volumes", "volumeImages"):
        for entry in client.get(kind).get(kind, []):
            client.remove(entry["id"])
    assert hypervisor.files_in(shared.pool) == before
    assert staged(shared) == []


@pytest.fixture
def volume(gateway: GatewayProcess) -> str:
    return str(gateway.client().added("volumes", create())["id"])


def staged(gateway: GatewayProcess) -> list[Path]:
    return list((gateway.home / "staging").rglob("*"))


def file_of(gateway: GatewayProcess, resource: str) -> Path:
    found = [name for name in hypervisor.files_in(gateway.pool) if resource.rpartition("/")[2] in name]
    assert len(found) == 1
    return hypervisor.POOLS / gateway.pool / found[0]


def asked(gateway: GatewayProcess, volume: str) -> Answer:
    return gateway.client().request("POST", "volumeImages", {"imageLocation": volume}, headers=LATER)


def same_disk(gateway: GatewayProcess, volume: str, image: str) -> bool:
    files = [file_of(gateway, volume), file_of(gateway, image)]
    formats = [file.suffix.removeprefix(".") for file in files]
    command: list[str | Path] = ["qemu-img", "compare", "-U", "-f", formats[0], "-F", formats[1], *files]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def whole(gateway: GatewayProcess, volume: str, answer: Answer, before: str) -> None:
    """The image is there, with the bytes of the Volume, which shows it and is as it was."""
    client, image = gateway.client(), answer.headers["location"]
    assert client.get(image)["state"] == "AVAILABLE"
    assert client.get(volume)["state"] == "AVAILABLE"
    assert [e["volumeImage"]["href"] for e in client.get(f"{volume}/images")["volumeVolumeImages"]] == [image]
    assert same_disk(gateway, volume, image)
    assert checksum(gateway, volume) == before


@pytest.mark.parametrize("step", COPYING)
def test_an_image_of_a_free_volume_killed_after_a_step_is_finished(
    gateway: GatewayProcess, volume: str, step: str
) -> None:
    summed = fill(gateway, volume)
    killed_after(gateway, "snapshot", step)
    answer = asked(gateway, volume)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    whole(gateway, volume, answer, summed)


@pytest.mark.parametrize("step", COPYING)
def test_an_image_of_a_running_guests_volume_killed_after_a_step_is_finished(
    gateway: GatewayProcess,
    machine: str,
    volume: str,
    step: str,
) -> None:
    summed = fill(gateway, volume)
    attached = gateway.client().request("POST", f"{machine}/volumes", {"volume": {"href": volume}})
    gateway.client().succeed(attached.job)
    killed_after(gateway, "snapshot", step)
    answer = asked(gateway, volume)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    whole(gateway, volume, answer, summed)
    client = gateway.client()
    assert client.get(machine)["state"] == "STARTED"
    client.remove(attached.headers["location"])


@pytest.mark.parametrize("attached", [True, False])
def test_a_copy_killed_in_the_middle_of_its_bytes_is_whole_after_the_restart(
    gateway: GatewayProcess,
    machine: str,
    attached: bool,
) -> None:
    client = gateway.client()
    volume = str(client.added("volumes", create(capacity=8 * BIG // 1000))["id"])
    with file_of(gateway, volume).open("r+b") as file:
        for _ in range(8):
            file.write(os.urandom(BIG))
    summed = checksum(gateway, volume)
    held = client.request("POST", f"{machine}/volumes", {"volume": {"href": volume}}) if attached else None
    if held is not None:
        client.succeed(held.job)
    try:
        answer = killed_in_the_middle(gateway, volume)
        client.succeed(answer.job)
        whole(gateway, volume, answer, summed)
    finally:
        if held is not None:
            client.remove(held.headers["location"])


def killed_in_the_middle(gateway: GatewayProcess, volume: str) -> Answer:
    """Ask for a copy and kill the gateway while it is made; a copy that was quicker than the kill is one try."""
    for _ in range(10):
        answer = asked(gateway, volume)
        wait_until(partial(half_copied, gateway, answer), 60, "bytes were copied")
        gateway.kill()
        in_the_middle = copied(gateway, answer) < 8 * BIG
        gateway.start()
        if in_the_middle:
            return answer
        gateway.client().succeed(answer.job)
        gateway.client().remove(answer.headers["location"])
    raise AssertionError("no copy was killed in its middle")


def copied(gateway: GatewayProcess, answer: Answer) -> int:
    """Bytes that the image's file has taken on the disk."""
    name = answer.headers["location"].rpartition("/")[2]
    files = [path for path in (hypervisor.POOLS / gateway.pool).iterdir() if name in path.name]
    return files[0].stat().st_blocks * 512 if files else 0


def half_copied(gateway: GatewayProcess, answer: Answer) -> bool:
    return copied(gateway, answer) > BIG // 2


def test_a_stopped_machine_that_was_held_for_a_killed_copy_can_be_started_again(
    gateway: GatewayProcess, image: str
) -> None:
    template = {"machineConfig": {"cpu": 1, "memory": 131072}, "machineImage": {"href": image}}
    template |= {"initialState": "STOPPED", "volumeTemplates": [create()["volumeTemplate"]]}
    client = gateway.client()
    held = client.added("machines", {"machineTemplate": template})["id"]
    volume = client.get(f"{held}/volumes")["machineVolumes"][0]["volume"]["href"]
    summed = fill(gateway, volume)
    killed_after(gateway, "snapshot", "copy volume")
    answer = asked(gateway, volume)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    whole(gateway, volume, answer, summed)
    client = gateway.client()
    assert client.get(held)["state"] == "STOPPED"
    client.remove(held)


@pytest.mark.parametrize("step", ["delete image", "settle image"])
def test_a_delete_of_an_image_killed_after_a_step_is_finished(gateway: GatewayProcess, volume: str, step: str) -> None:
    summed = fill(gateway, volume)
    made = asked(gateway, volume)
    gateway.client().succeed(made.job)
    killed_after(gateway, "delete", step)
    answer = gateway.client().request("DELETE", made.headers["location"], headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert gateway.client().get(f"{volume}/images")["count"] == 0
    assert checksum(gateway, volume) == summed


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
@pytest.mark.parametrize("step", ["create volume", "settle volume"])
def test_a_volume_of_an_image_killed_after_a_step_is_finished(
    gateway: GatewayProcess, volume: str, disk_format: str, step: str
) -> None:
    fill(gateway, volume)
    made = asked(gateway, volume)
    gateway.client().succeed(made.job)
    image_file = file_of(gateway, made.headers["location"])
    summed = hashlib.sha256(image_file.read_bytes()).hexdigest()
    killed_after(gateway, "add", step)
    template = {"volumeImage": {"href": made.headers["location"]}, "volumeConfig": {"format": disk_format}}
    answer = gateway.client().request("POST", "volumes", {"volumeTemplate": template}, headers=LATER)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert same_disk(gateway, answer.headers["location"], made.headers["location"])
    gateway.client().remove(answer.headers["location"])
    assert hashlib.sha256(image_file.read_bytes()).hexdigest() == summed


@pytest.fixture
def server(shared: GatewayProcess) -> Iterator[WebServer]:
    if not shared.image_settings:
        shared.image_settings = 'private_networks = ["127.0.0.0/8"]'
        shared.configure()
        shared.stop()
        shared.start()
    with serving(WebServer(DISK)) as started:
        yield started


def by_value(gateway: GatewayProcess, server: WebServer) -> Answer:
    config: dict[str, Any] = {"format": "raw", "capacity": 8_000}
    template = {"volumeConfig": config, "volumeImage": {"imageLocation": server.url}}
    return gateway.client().request("POST", "volumes", {"volumeTemplate": template}, headers=LATER)


def filled(gateway: GatewayProcess, volume: str) -> bool:
    data = file_of(gateway, volume).read_bytes()
    return gateway.client().get(volume)["state"] == "AVAILABLE" and data[: len(DISK)] == DISK and len(data) >= 8_000_000


@pytest.mark.parametrize(("way", "step"), BY_VALUE)
def test_an_image_by_value_killed_after_a_step_fills_its_volume(
    gateway: GatewayProcess, server: WebServer, way: str, step: str
) -> None:
    server.ranges = way == "direct"
    killed_after(gateway, "add", step)
    answer = by_value(gateway, server)
    assert after_restart(gateway, answer)["state"] == "SUCCESS"
    assert filled(gateway, answer.headers["location"])


def test_an_image_by_value_killed_in_the_middle_of_its_bytes_fills_its_volume(
    gateway: GatewayProcess, server: WebServer
) -> None:
    server.stall_at = 2 * 1024**2
    answer = by_value(gateway, server)
    wait_until(lambda: server.stalled, 30, "half of the bytes are there")
    gateway.kill()
    server.stall_at = None
    gateway.start()
    gateway.client().succeed(answer.job)
    assert filled(gateway, answer.headers["location"])


@pytest.mark.parametrize("step", ["copy image", "reserve volume"])
def test_an_undo_that_is_killed_is_gone_on_with_and_leaves_nothing(
    gateway: GatewayProcess, server: WebServer, step: str
) -> None:
    server.breaks, server.break_at, server.ranges = 100, 2 * 1024**2, True
    killed_after(gateway, "add", step, "undo")
    answer = by_value(gateway, server)
    assert after_restart(gateway, answer)["state"] == "FAILED"
    assert gateway.client().request("GET", answer.headers["location"]).status == 404
