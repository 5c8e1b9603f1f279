"""Real guests through the gateway: small Machines, their consoles, and that they have booted."""

from __future__ import annotations

from pathlib import Path

from demo.guest_shell import run_in_guest
from tests.cimi_client import CimiClient, DeadlineError, wait_until
from tests.urls import uuid_of

PANIC = "Kernel panic"


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


def in_guest(machine: str, command: str, seconds: float = 300) -> str:
    """What the command prints in the guest, where it has to succeed."""
    code, output = run_in_guest(uuid_of(machine), command, seconds)
    assert code == 0, output
    return output.strip()


def bootable_image(admin: CimiClient, images: Path) -> str:
    """URL of the bootable MachineImage, imported by the admin for everyone."""
    imported = admin.added("machineImages", {"name": "guest", "imageLocation": f"file://{images / 'guest.qcow2'}"})
    assert imported["state"] == "AVAILABLE"
    return str(imported["id"])
