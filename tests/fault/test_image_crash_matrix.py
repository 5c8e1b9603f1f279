"""The gateway is killed with SIGKILL after every step of an import, by file, URL and upload, and in its middle.

Each time the job ends definite after the restart, and neither a partial volume nor a staged file is left.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.orchestration.images.facts import Route
from gateway.orchestration.images.steps import filling_steps
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.fault.crashes import restarted
from tests.gateway_process import GatewayProcess
from tests.web_server import WebServer, running

pytestmark = pytest.mark.qemu
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(8 * 1024**2 - 512)
OCTETS = {"Content-Type": "application/octet-stream"}
LAST = "settle image"
DIRECT_STEPS = [step.name for step in filling_steps("", Route.DIRECT)]
STAGED_STEPS = [step.name for step in filling_steps("", Route.STAGED)]


@pytest.fixture(scope="module")
def shared(shared_pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for all of them, which may fetch from this host."""
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), shared_pool, images)
    process.image_settings = 'private_networks = ["127.0.0.0/8"]'
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture
def gateway(shared: GatewayProcess) -> Iterator[GatewayProcess]:
    """Without any image, before and after."""
    yield shared
    shared.revive()
    client = shared.client()
    for image in client.get("machineImages").get("machineImages", []):
        client.remove(image["id"])
    assert hypervisor.files_in(shared.pool) == []


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running(WebServer(DISK)) as started:
        yield started


def imported(client: CimiClient, location: str) -> tuple[str, str]:
    """Path of the image and of its job, without waiting."""
    document = {"imageLocation": location}
    answer = client.request("POST", "machineImages", document, headers={"Prefer": "respond-async"})
    assert answer.status == 202, answer.body
    return answer.headers["location"], answer.job


def uploaded(client: CimiClient) -> str:
    """All bytes are sent; the image."""
    image = client.add("machineImages", {"size": len(DISK)}).json
    sent = client.request("PUT", image["id"] + "/upload", body=DISK, headers={**OCTETS, "Prefer": "respond-async"})
    assert sent.status == 202, sent.body
    return str(image["id"])


def settled(gateway: GatewayProcess, image: str, client: CimiClient) -> None:
    """Either the whole image is there, or nothing of it."""
    staged = gateway.home / "staging"
    files = hypervisor.files_in(gateway.pool)
    answer = client.request("GET", image)
    if answer.status == 200:
        assert answer.json["state"] == "AVAILABLE"
        assert client.request("GET", image + "/download").body == DISK
        assert len(files) == 1
    else:
        assert (answer.status, files) == (404, [])
    assert not staged.exists() or list(staged.iterdir()) == []


@pytest.mark.parametrize("step", [*DIRECT_STEPS, LAST])
def test_a_file_import_killed_after_a_step_ends_definite(gateway: GatewayProcess, images: Path, step: str) -> None:
    (images / "crash.raw").write_bytes(DISK)
    gateway.crash_after("add", step)
    image, job = imported(gateway.client(), f"file://{images / 'crash.raw'}")
    client = restarted(gateway)
    client.finish(job)
    settled(gateway, image, client)


@pytest.mark.parametrize(
    ("way", "step"),
    [*(("direct", step) for step in (*DIRECT_STEPS, LAST)), *(("staged", step) for step in (*STAGED_STEPS, LAST))],
)
def test_a_url_import_killed_after_a_step_ends_definite(
    gateway: GatewayProcess, server: WebServer, way: str, step: str
) -> None:
    server.ranges = way == "direct"
    gateway.crash_after("add", step)
    image, job = imported(gateway.client(), server.url)
    client = restarted(gateway)
    client.finish(job)
    settled(gateway, image, client)


@pytest.mark.parametrize("step", [*STAGED_STEPS, LAST])
def test_an_upload_killed_after_a_step_ends_definite(gateway: GatewayProcess, step: str) -> None:
    gateway.crash_after("upload", step)
    image = uploaded(gateway.client())
    client = restarted(gateway)
    wait_until(lambda: client.get(image)["state"] != "CREATING", 60, "the upload's job ends")
    settled(gateway, image, client)


def test_an_import_killed_in_the_middle_of_its_bytes_is_whole_after_the_restart(
    gateway: GatewayProcess, server: WebServer
) -> None:
    server.stall_at = 4 * 1024**2
    image, job = imported(gateway.client(), server.url)
    wait_until(lambda: server.stalled, 30, "half of the bytes are there")
    gateway.kill()
    server.stall_at = None
    gateway.start()
    gateway.client().succeed(job)
    settled(gateway, image, gateway.client())


def test_an_undo_that_is_killed_is_gone_on_with(gateway: GatewayProcess, server: WebServer) -> None:
    server.ranges, server.break_at = False, 4 * 1024**2
    gateway.crash_after("add", "stage image", "undo")
    image, job = imported(gateway.client(), server.url)
    client = restarted(gateway)
    assert client.finish(job)["state"] == "FAILED"
    settled(gateway, image, client)
