"""The host's own libvirtd is stopped, restarted and frozen while jobs run and clients read.

These tests have libvirtd for themselves: `make test` runs them after all others.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.libvirt.connection import DEADLINE
from tests import hypervisor
from tests.cimi_client import ACTION, wait_until
from tests.fault.libvirtd import daemon, ready, start_libvirtd, stop_libvirtd
from tests.gateway_process import GatewayProcess
from tests.guests import machine_create
from tests.patience import PATIENCE
from tests.web_server import WebServer
from tests.web_server import running as running_server

pytestmark = [pytest.mark.qemu, pytest.mark.exclusive]


@pytest.fixture
def machine(gateway: GatewayProcess, images: Path) -> Iterator[str]:
    """A running Machine."""
    gateway.start()
    image = gateway.client().added("machineImages", {"imageLocation": f"file://{images / 'guest.qcow2'}"})["id"]
    yield str(gateway.client().added("machines", machine_create(image))["id"])


def test_while_libvirtd_is_stopped_reads_work_and_changes_are_503(gateway: GatewayProcess, machine: str) -> None:
    client = gateway.client()
    stop_libvirtd()
    try:
        wait_until(lambda: not ready(gateway), 10, "the gateway notices")
        assert client.get(machine)["state"] == "STARTED"
        answer = client.request("POST", f"{machine}/pause", {"action": ACTION + "pause"})
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
    finally:
        start_libvirtd()
    wait_until(lambda: ready(gateway), 30, "the gateway is connected again")
    client.acted(machine, "pause")
    with hypervisor.connection() as host:
        hypervisor.domain_of(machine, host).resume()
    client.wait_state(machine, "STARTED", 1)


def test_a_job_that_runs_while_libvirtd_restarts_ends_well(gateway: GatewayProcess, machine: str) -> None:
    client = gateway.client()
    job = client.act(machine, "stop").job
    stop_libvirtd()
    start_libvirtd()
    client.succeed(job, 90)
    assert client.get(machine)["state"] == "STOPPED"


def test_a_create_that_runs_while_libvirtd_restarts_ends_well(gateway: GatewayProcess, machine: str) -> None:
    client = gateway.client()
    image = next(entry["id"] for entry in client.get("machineImages")["machineImages"])
    disks = [{"capacity": 100000, "format": "raw"} for _ in range(6)]
    config = {"cpu": 1, "memory": 131072, "disks": disks}
    document = machine_create(image, machineConfig=config)
    answer = client.request("POST", "machines", document, headers={"Prefer": "respond-async"})
    stop_libvirtd()
    start_libvirtd()
    client.succeed(answer.job, 90)
    assert client.get(answer.headers["location"])["state"] == "STARTED"
    client.remove(answer.headers["location"])


def test_a_frozen_libvirtd_never_holds_up_a_read(gateway: GatewayProcess, machine: str) -> None:
    client = gateway.client()
    pid = daemon()
    os.kill(pid, signal.SIGSTOP)
    try:
        job = client.act(machine, "pause").job
        # A read that waited for libvirt would be answered only at the call's deadline, or when it is thawed.
        client.timeout = DEADLINE / 2
        for _ in range(50):
            assert client.get(machine)["state"] in ("PAUSING", "STARTED")
    finally:
        os.kill(pid, signal.SIGCONT)
    client.timeout = PATIENCE
    client.succeed(job, 90)
    assert client.get(machine)["state"] == "PAUSED"


def test_an_image_is_whole_when_libvirtd_restarts_in_the_middle_of_its_upload(gateway: GatewayProcess) -> None:
    data = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(8 * 1024**2 - 512)
    gateway.image_settings = 'private_networks = ["127.0.0.0/8"]'
    gateway.configure()
    gateway.start()
    client = gateway.client()
    with running_server(WebServer(data, stall_at=4 * 1024**2)) as server:
        answer = client.request(
            "POST", "machineImages", {"imageLocation": server.url}, headers={"Prefer": "respond-async"}
        )
        wait_until(lambda: server.stalled, 30, "half of the bytes are there")
        stop_libvirtd()
        server.stall_at = None
        start_libvirtd()
        client.succeed(answer.job, 90)
    assert client.request("GET", answer.headers["location"] + "/download").body == data
    assert len(hypervisor.files_in(gateway.pool)) == 1


def test_a_stopped_libvirtd_is_told_as_an_alarm_and_so_is_its_return(gateway: GatewayProcess, machine: str) -> None:
    client = gateway.client()

    def alarms() -> list[str]:
        url = "eventLogs/everything/events?$filter=type='alarm'"
        return [event["content"]["code"] for event in client.get(url).get("events", [])]

    stop_libvirtd()
    try:
        wait_until(lambda: alarms() == ["hypervisor-lost"], 10, "the loss is told")
    finally:
        start_libvirtd()
    wait_until(lambda: alarms() == ["hypervisor-lost", "hypervisor-back"], 30, "the return is told")
