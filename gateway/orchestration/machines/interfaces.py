"""The network interfaces of a new Machine (DSP0263 5.14.1.6)."""

from __future__ import annotations

import secrets
from typing import Any

from gateway.errors import Invalid, NotImplementedHere
from gateway.orchestration.networks.host_network import network_path
from gateway.orchestration.references import resolve
from gateway.orchestration.resources import Room, component
from gateway.orchestration.service import Caller
from gateway.store.model import Document, Resource


async def chosen_interfaces(room: Room, caller: Caller, template: Document, host: str) -> list[Document]:
    """One on the hypervisor's network when the template says nothing."""
    settings = room.hypervisors[host]
    asked = template.get("networkInterfaces") or [{}]
    found = []
    for place, interface in enumerate(asked):
        where = f"machineTemplate.networkInterfaces.{place}"
        if interface.get("networkPort") or interface.get("addresses"):
            raise NotImplementedHere(f"{where}: ports and addresses are not offered by this gateway yet")
        href = interface.get("network", {}).get("href", network_path(settings))
        await resolve(room.store, caller, href, ("Network",), f"{where}.network")
        if href != network_path(settings):
            raise Invalid(f"the network is not on the hypervisor {host}", f"{where}.network")
        found.append(
            {
                "mac": _mac(interface.get("macAddress"), f"{where}.macAddress"),
                "network": settings.network,
                "network_path": href,
                "mtu": interface.get("mtu"),
                "up": interface.get("state", "Active") == "Active",
            }
        )
    return found


def _mac(given: str | None, where: str) -> str:
    if given is None:
        return "52:54:00:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3))
    parts = given.lower().split(":")
    legal = len(parts) == 6 and all(len(part) == 2 and set(part) <= set("0123456789abcdef") for part in parts)
    if not legal or int(parts[0], 16) & 1:
        raise Invalid(f"{given[:40]!r} is no MAC address of an interface", where)
    return given.lower()


def interface_resources(machine: Resource) -> list[Resource]:
    found = []
    for place, nic in enumerate(machine.internal["interfaces"]):
        document: dict[str, Any] = {
            "network": {"href": nic["network_path"]},
            "state": "Active" if nic["up"] else "Passive",
            "macAddress": nic["mac"],
            "mtu": nic["mtu"],
        }
        known = {name: value for name, value in document.items() if value is not None}
        found.append(component(machine, "MachineNetworkInterface", f"networkInterfaces/{place}", known))
    return found
