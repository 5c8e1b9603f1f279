"""The gateway is killed after the steps of Addresses in libvirt's own network ``default``: no entry is lost or left."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.system.conftest import images, machine_create  # noqa: F401 - the fixture
from tests.system.test_shared_addresses import entries

pytestmark = pytest.mark.qemu
ASYNC = {"Prefer": "respond-async"}
EMPTY = {"addressTemplate": {}}


@pytest.fixture(scope="module")
def gateway(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:  # noqa: F811
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.clear()
    hypervisor.drop_pool(pool)


@pytest.mark.parametrize("step", ["reserve address", "settle address"])
def test_a_create_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    before = entries()
    gateway.crash_after("add", step)
    answer = gateway.client().request("POST", "addresses", EMPTY, headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    client = gateway.client()
    client.succeed(answer.job)
    shown = client.get(answer.headers["location"])
    assert entries().keys() == {*before, shown["ip"]}
    client.remove(str(shown["id"]))
    assert entries() == before


@pytest.mark.parametrize("step", ["release address", "settle address"])
def test_a_delete_killed_after_a_step_is_finished(gateway: GatewayProcess, step: str) -> None:
    before, shown = entries(), gateway.client().added("addresses", EMPTY)
    gateway.crash_after("delete", step)
    answer = gateway.client().request("DELETE", str(shown["id"]), headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert entries() == before


@pytest.mark.parametrize("step", ["undefine domain", "withdraw addresses"])
def test_a_machine_whose_delete_is_killed_leaves_its_address_reserved(
    gateway: GatewayProcess, step: str, images: Path  # noqa: F811
) -> None:
    client = gateway.client()
    image = str(client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])
    shown = client.added("addresses", EMPTY)
    before = entries()
    template = {"networkInterfaces": [{"addresses": [{"href": shown["id"]}]}]}
    machine = client.added("machines", machine_create(image, "STOPPED", **template))
    assert entries() != before
    gateway.crash_after("delete", step)
    answer = client.request("DELETE", str(machine["id"]), headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    client = gateway.client()
    client.succeed(answer.job)
    assert entries() == before
    client.remove(str(shown["id"]))
    assert shown["ip"] not in entries()
