"""The gateway is killed after the steps of Addresses in the host's own network: no entry is lost or left."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import hypervisor
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.system.host_network import HostNetwork, entries, gateway_on, host_network

pytestmark = pytest.mark.qemu
ASYNC = {"Prefer": "respond-async"}
EMPTY: dict[str, Any] = {"addressTemplate": {}}


@pytest.fixture(scope="module")
def host_net() -> Iterator[HostNetwork]:
    """A network of the host's own that no other test has."""
    with host_network(translated=True) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(images: Path, host_net: HostNetwork, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    pool = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(pool)
    with gateway_on(host_net, pool, images, tmp_path_factory.mktemp("gateway")) as process:
        yield process
    hypervisor.drop_pool(pool)


@pytest.mark.parametrize("step", ["reserve address", "settle address"])
def test_a_create_killed_after_a_step_is_finished(gateway: GatewayProcess, host_net: HostNetwork, step: str) -> None:
    before = entries(host_net)
    gateway.crash_after("add", step)
    answer = gateway.client().request("POST", "addresses", EMPTY, headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    client = gateway.client()
    client.succeed(answer.job)
    shown = client.get(answer.headers["location"])
    assert entries(host_net).keys() == {*before, shown["ip"]}
    client.remove(str(shown["id"]))
    assert entries(host_net) == before


@pytest.mark.parametrize("step", ["release address", "settle address"])
def test_a_delete_killed_after_a_step_is_finished(gateway: GatewayProcess, host_net: HostNetwork, step: str) -> None:
    before, shown = entries(host_net), gateway.client().added("addresses", EMPTY)
    gateway.crash_after("delete", step)
    answer = gateway.client().request("DELETE", str(shown["id"]), headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    gateway.client().succeed(answer.job)
    assert entries(host_net) == before


@pytest.mark.parametrize("step", ["undefine domain", "withdraw addresses"])
def test_a_machine_whose_delete_is_killed_leaves_its_address_reserved(
    gateway: GatewayProcess,
    host_net: HostNetwork,
    step: str,
    images: Path,
) -> None:
    client = gateway.client()
    image = str(client.added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"])
    shown = client.added("addresses", EMPTY)
    before = entries(host_net)
    template = {"networkInterfaces": [{"addresses": [{"href": shown["id"]}]}]}
    machine = client.added("machines", machine_create(image, "STOPPED", **template))
    assert entries(host_net) != before
    gateway.crash_after("delete", step)
    answer = client.request("DELETE", str(machine["id"]), headers=ASYNC)
    gateway.wait_killed()
    gateway.start()
    client = gateway.client()
    client.succeed(answer.job)
    assert entries(host_net) == before
    client.remove(str(shown["id"]))
    assert shown["ip"] not in entries(host_net)
