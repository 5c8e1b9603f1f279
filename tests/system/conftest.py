"""A private gateway over qemu:///system with the bootable guest image, shared by a module's tests."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.guest_image import build
from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory which the gateway may import from, holding guest.qcow2."""
    directory = tmp_path_factory.mktemp("images")
    shutil.copyfile(build(directory / "built.qcow2"), directory / "guest.qcow2")
    return directory


@pytest.fixture(scope="module")
def pool() -> Iterator[str]:
    name = f"cimi-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    hypervisor.quiet()
    hypervisor.make_pool(name)
    yield name
    hypervisor.remove_domains(name)
    hypervisor.drop_pool(name)


@pytest.fixture(scope="module")
def gateway(pool: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    process = GatewayProcess(tmp_path_factory.mktemp("gateway"), pool, images)
    process.prepare()
    process.start()
    yield process
    process.clear()


@pytest.fixture(scope="module")
def admin(gateway: GatewayProcess) -> CimiClient:
    return gateway.client("admin")


@pytest.fixture(scope="module")
def image(admin: CimiClient, images: Path) -> str:
    """URL of the bootable MachineImage, imported by the admin for everyone."""
    document = {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"}
    imported = admin.added("machineImages", document)
    assert imported["state"] == "AVAILABLE"
    return str(imported["id"])


def machine_create(image: str, initial_state: str = "STARTED", **template: object) -> dict[str, object]:
    """A small Machine by value."""
    return {
        "name": "guest",
        "machineTemplate": {
            "initialState": initial_state,
            "machineConfig": {"cpu": 1, "memory": 131072},
            "machineImage": {"href": image},
            **template,
        },
    }


@pytest.fixture(scope="module")
def guest(admin: CimiClient, image: str, gateway: GatewayProcess) -> Iterator[str]:
    """URL of a running Machine whose guest has booted (it printed READY)."""
    made = admin.added("machines", machine_create(image))
    wait_ready(admin, str(made["id"]))
    yield str(made["id"])


PANIC = "Kernel panic"


def console(client: CimiClient, machine: str) -> str:
    href = next(
        entry["href"] for entry in client.get(machine)["operations"] if entry["rel"].endswith("/action/console")
    )
    answer = client.request("POST", href)
    assert answer.status == 200, (answer.status, answer.body)
    return answer.body.decode(errors="replace")


def wait_ready(client: CimiClient, machine: str, times: int = 1, seconds: float = 240) -> None:
    """Wait until the guest has booted this many times.

    Where both cores are starved a guest may panic at its boot, or stand still. That is no defect of the gateway: the
    guest is booted again.
    """
    from tests.cimi_client import DeadlineError, wait_until

    def booted() -> bool:
        return console(client, machine).count("READY") >= times

    try:
        panics = console(client, machine).count(PANIC)
        wait_until(lambda: booted() or console(client, machine).count(PANIC) > panics, seconds, "the guest boots")
    except DeadlineError:
        panics = -1
    if not booted():
        again = "restart" if client.operation(client.get(machine), "restart") else "start"
        client.acted(machine, again, **({"force": True} if again == "restart" else {}))
        wait_until(booted, seconds, "the guest prints READY at its second boot")
