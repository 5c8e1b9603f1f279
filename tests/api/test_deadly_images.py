"""What brings down who reads it is tried twice in all, and the gateway is there for others meanwhile.

The gateway is a process of its own, over a hypervisor in memory; its reading process has a fault of its own.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.images.transfers import OCTETS
from tests.cimi_client import CimiClient, wait_until
from tests.deadly_reader import DEADLY, HANGING, HANGS
from tests.hostile_files import described, package, vmdk
from tests.memory_gateway import READER, MemoryGatewayProcess, memory_gateway

pytestmark = pytest.mark.slow

PATIENCE = 60
UPLOAD = "http://cimi-gateway.org/ns/1/action/upload"
IMPORT = "http://cimi-gateway.org/ns/1/action/import"
FAULTY = {READER: "tests.deadly_reader"}
DIED = "a reader died"


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[MemoryGatewayProcess]:
    made = memory_gateway(tmp_path)
    made.start(**FAULTY)
    yield made
    made.kill()
    for reader in hanging():
        os.kill(reader, signal.SIGKILL)


def hanging() -> list[int]:
    """Return the processes of this test that hang over an image."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"PYTHONPATH={Path.cwd()}" in (process / "environ").read_text(errors="replace")
            if (process / "comm").read_text().strip() == HANGS and mine:
                found.append(int(process.name))
        except OSError:
            continue
    return found


def uploaded(client: CimiClient, content: bytes) -> str:
    """Return the Job of an image that was uploaded."""
    made = client.request("POST", "machineImages", {"name": "image", "size": len(content)})
    assert made.status == 201, made.body
    href = client.operation(made.json, UPLOAD)
    assert href is not None
    return client.request("PUT", href, body=content, headers={"Content-Type": OCTETS, "Prefer": "respond-async"}).job


def demand_given_up(client: CimiClient, job: str) -> None:
    document = client.finish(job, PATIENCE)
    assert document["state"] == "FAILED", document
    assert "begun 2 times" in document["statusMessage"]
    assert "not tried again" in document["statusMessage"]


def test_an_image_that_kills_its_reader_is_tried_twice_and_fails(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    demand_given_up(client, uploaded(client, vmdk(DEADLY)))
    assert apart.log.read_text().count(DIED) == 2
    assert [image["state"] for image in client.get("machineImages")["machineImages"]] == ["ERROR"]


def test_a_part_of_a_package_that_kills_its_reader_is_tried_twice_and_fails(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    (apart.images / "deadly.ova").write_bytes(package(described(), disk=vmdk(DEADLY)))
    parameters = {"action": IMPORT, "source": f"file://{apart.images / 'deadly.ova'}"}
    demand_given_up(client, client.request("POST", "systems/import", parameters).job)
    assert apart.log.read_text().count(DIED) == 2


def test_a_file_that_kills_its_reader_is_refused_with_words(apart: MemoryGatewayProcess) -> None:
    (apart.images / "deadly.vmdk").write_bytes(vmdk(DEADLY))
    document = {"name": "image", "imageLocation": f"file://{apart.images / 'deadly.vmdk'}"}
    answer = apart.client("operator").request("POST", "machineImages", document)
    assert (answer.status, b"more time or memory" in answer.body) == (400, True)


def test_other_images_are_read_after_one_that_killed_the_reader(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    demand_given_up(client, uploaded(client, vmdk(DEADLY)))
    content = b"\xfa" * 510 + b"\x55\xaa"
    client.succeed(uploaded(client, content), PATIENCE)


def test_after_two_deaths_of_the_gateway_an_image_is_not_read_a_third_time(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    job = uploaded(client, vmdk(HANGING))
    for _ in range(2):
        wait_until(hanging, PATIENCE, "the reader hangs over the image")
        assert apart.answers()
        apart.kill()
        for reader in hanging():
            os.kill(reader, signal.SIGKILL)
        wait_until(lambda: not hanging(), PATIENCE, "the reader is gone")
        apart.start(**FAULTY)
    demand_given_up(client, job)
    assert hanging() == []


def test_a_stop_in_good_order_is_no_try(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    job = uploaded(client, vmdk(HANGING))
    for _ in range(3):
        wait_until(hanging, PATIENCE, "the reader hangs over the image")
        assert apart.stop() == 0
        assert hanging() == []
        apart.start(**FAULTY)
    wait_until(hanging, PATIENCE, "the reader hangs over the image")
    assert client.get(job)["state"] == "RUNNING"


def test_a_job_that_waits_for_its_reader_can_be_stopped(apart: MemoryGatewayProcess) -> None:
    client = apart.client("operator")
    job = uploaded(client, vmdk(HANGING))
    wait_until(hanging, PATIENCE, "the reader hangs over the image")
    client.act(job, "stop")
    assert client.finish(job, PATIENCE)["state"] == "STOPPED"
    assert hanging() == []
