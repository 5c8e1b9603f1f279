"""Networks of real guests: their interfaces and addresses, and who reaches whom."""

from __future__ import annotations

from typing import Any

from demo.guest_shell import GuestShellError, run_in_guest
from tests.cimi_client import CimiClient, wait_until
from tests.urls import uuid_of

ADDRESSED = 60.0


def network_create(kind: str = "PRIVATE", **config: object) -> dict[str, Any]:
    return {"name": "lan", "networkTemplate": {"networkConfig": {"networkType": kind, **config}}}


def libvirt_name(url: str) -> str:
    return f"cimi-{uuid_of(url)}"


def interfaces(client: CimiClient, machine: str) -> list[dict[str, Any]]:
    listed = client.get(client.get(machine)["networkInterfaces"]["href"])
    found: list[dict[str, Any]] = listed.get("machineNetworkInterfaces", [])
    return found


def address(client: CimiClient, interface: dict[str, Any]) -> str:
    """The interface's IPv4 address, as clients find it."""

    def found() -> str | None:
        listed = client.get(interface["addresses"]["href"] + "?$expand=address")
        ips = [entry["address"]["ip"] for entry in listed.get("machineNetworkInterfaceAddresses", [])]
        return next((ip for ip in ips if ":" not in ip), None)

    return wait_until(found, ADDRESSED, f"{interface['id']} has an address") or ""


def shell(machine: str, command: str) -> tuple[int, str]:
    return run_in_guest(uuid_of(machine), command)


def wait_answers(machine: str, seconds: float = 120) -> None:
    """Wait until the guest's shell answers."""

    def answers() -> bool:
        try:
            return run_in_guest(uuid_of(machine), "true", 5)[0] == 0
        except GuestShellError:
            return False

    wait_until(answers, seconds, "the guest's shell answers")


def reaches(machine: str, ip: str, seconds: int = 1) -> bool:
    return shell(machine, f"ping -c 1 -W {seconds} {ip}")[0] == 0


def told(client: CimiClient, network: str) -> set[str]:
    """What the network's event log says was put right."""
    log = client.get(network)["eventLog"]["href"]
    listed = client.get(f"{log}/events?$filter=type='alarm'").get("events", [])
    return {event["content"]["code"] for event in listed}
