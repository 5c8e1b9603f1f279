"""The demo's networks: a private Network, a reserved Address, a second guest with it, the two pinging each other."""

from __future__ import annotations

import asyncio
import time

from cimi_client import Document, Query, Resource
from rich.console import Console

from demo.client import User
from demo.guest_shell import GuestShellError, run_in_guest

PATIENCE = 120.0


async def show_network(user: User, machine: str, image: str, out: Console) -> None:
    """Connect two guests by a private Network, one of them while it runs, and take everything away."""
    document: Document = {"name": "lan", "networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}}
    network = await user.make("networks", document, "creating a private network")
    out.print(f"{network.id} is {network.state}: {network.text('cidr')} and {network.text('cidr6')}")
    interfaces = (await user.get(machine)).href("networkInterfaces") or ""
    interface = await user.make(interfaces, {"network": {"href": network.id}}, "plugging the guest into it")
    document = {"addressTemplate": {"network": {"href": network.id}, "hostname": "second"}}
    address = await user.make("addresses", document, "reserving an address")
    ip = address.text("ip")
    out.print(f"{address.id} is {ip}, known to the network's DNS as second")
    second = await _second_guest(user, network.id, address.id, image)
    await _ping(machine, await _private_address(user, machine), second, ip, out)
    await user.delete(second, "deleting the second guest")
    await user.delete(address.id, "deleting the address")
    await user.delete(interface.id, "unplugging the first guest")
    await user.delete(network.id, "deleting the network")


async def _second_guest(user: User, network: str, address: str, image: str) -> str:
    template: Document = {
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image},
        "networkInterfaces": [{"network": {"href": network}, "addresses": [{"href": address}]}],
    }
    document: Document = {"name": "second", "machineTemplate": template}
    return (await user.make("machines", document, "creating a second guest")).id


async def _ping(first: str, first_ip: str, second: str, second_ip: str, out: Console) -> None:
    """Let each guest ping the other, once the second has taken the address that is reserved for it."""
    await _in_guest(second, f"until ip addr show eth0 | grep -q 'inet {second_ip}/'; do sleep 1; done")
    for machine, ip in ((first, second_ip), (second, first_ip)):
        line = await _in_guest(machine, f"ping -c 3 {ip} | tail -n 2 | head -n 1")
        out.print(f"  {await _in_guest(machine, 'hostname')} pings {ip}: {line}")


async def _private_address(user: User, machine: str) -> str:
    """Return the IPv4 address of the guest's last interface once the gateway shows it."""
    interfaces = (await user.get(machine)).href("networkInterfaces") or ""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        last = (await user.items(interfaces))[-1]
        for ip in await _addresses(user, last):
            if ":" not in ip:
                return ip
        await asyncio.sleep(0.5)
    raise SystemExit("the guest got no address on the private network")


async def _addresses(user: User, interface: Resource) -> list[str]:
    entries = await user.items(interface.href("addresses") or "", Query(expand=("address",)))
    return [entry.part("address").text("ip") for entry in entries]


async def _in_guest(machine: str, command: str) -> str:
    """Return what a command prints in the guest, once that has booted."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            _, text = await asyncio.to_thread(run_in_guest, machine.rpartition("/")[2], command, 20)
            return text.strip()
        except GuestShellError:
            if time.monotonic() > deadline:
                raise
