"""Capture with a real guest: the image is flat, and a new Machine boots from it with what was on the disk."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import hypervisor
from tests.cimi_client import CimiClient
from tests.gateway_process import GatewayProcess
from tests.guest_marks import disk_mark, mark, memory_mark
from tests.guests import machine_create, wait_ready
from tests.urls import uuid_of

pytestmark = pytest.mark.qemu


def capture(admin: CimiClient, machine: str) -> str:
    answer = admin.request("POST", f"{machine}/capture", {"name": "captured"})
    assert answer.status in (201, 202), answer.body
    admin.succeed(answer.job)
    return answer.headers["location"]


def file_of(gateway: GatewayProcess, image: str) -> Path:
    return hypervisor.POOLS / gateway.pool / f"cimi-image-{uuid_of(image)}.qcow2"


def described(path: Path) -> dict[str, object]:
    shown = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, check=True)
    document: dict[str, object] = json.loads(shown.stdout)
    return document


def test_a_running_guest_is_captured_as_it_runs_into_a_flat_image_that_boots(
    admin: CimiClient, guest: str, gateway: GatewayProcess
) -> None:
    mark(guest, "captured")
    admin.succeed(admin.request("POST", f"{guest}/snapshot", {}).job)
    made = capture(admin, guest)
    assert (admin.get(guest)["state"], memory_mark(guest)) == ("STARTED", "captured")
    facts = described(file_of(gateway, made))
    assert facts["format"] == "qcow2"
    assert not {"backing-filename", "snapshots"} & facts.keys()
    machine = admin.added("machines", machine_create(made))["id"]
    wait_ready(admin, machine)
    assert (memory_mark(machine), disk_mark(machine)) == ("", "captured")
    admin.remove(machine)
    admin.remove(made)
    assert not file_of(gateway, made).exists()


def test_a_stopped_machine_is_captured_without_what_its_snapshots_hold_and_others_are_restored_from_that(
    admin: CimiClient, guest: str, gateway: GatewayProcess
) -> None:
    mark(guest, "old")
    admin.succeed(admin.request("POST", f"{guest}/snapshot", {}).job)
    mark(guest, "new")
    admin.acted(guest, "stop", force=True)
    made = capture(admin, guest)
    assert admin.get(guest)["state"] == "STOPPED"
    assert not {"backing-filename", "snapshots"} & described(file_of(gateway, made)).keys()
    content = subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", file_of(gateway, made), "/dev/stdout"],
        capture_output=True,
        check=False,
    )
    assert b"\nold\n" not in content.stdout
    machine = admin.added("machines", machine_create(made))["id"]
    wait_ready(admin, machine)
    assert disk_mark(machine) == "new"
    mark(machine, "worn")
    admin.acted(machine, "restore", image={"href": made})
    wait_ready(admin, machine, 2)
    assert (admin.get(machine)["state"], disk_mark(machine)) == ("STARTED", "new")
    assert len([name for name in hypervisor.files_in(gateway.pool) if uuid_of(machine) in name]) == 2
    admin.remove(machine)
    assert not [name for name in hypervisor.files_in(gateway.pool) if uuid_of(machine) in name]
