"""The demo's networks: a private Network, a reserved Address, a second guest with it, the two pinging each other."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from rich.console import Console

from demo.client import Client
from demo.guest_shell import GuestShellError, run_in_guest

PATIENCE = 120.0


async def show_network(client: Client, base: str, machine: str, image: str, out: Console) -> None:
    """Connect two guests by a private Network, one of them while it runs, and take everything away."""
    config = {"networkType": "PRIVATE"}
    answer = await client.call("POST", base + "networks", {"name": "lan", "networkTemplate": {"networkConfig": config}})
    network = answer.headers["Location"]
    await client.follow(answer, "creating a private network")
    created = await client.get(network)
    out.print(f"{network} is {created['state']}: {created['cidr']} and {created['cidr6']}")
    answer = await client.call("POST", f"{machine}/networkInterfaces", {"network": {"href": network}})
    interface = answer.headers["Location"]
    await client.follow(answer, "plugging the guest into it")
    template = {"network": {"href": network}, "hostname": "second"}
    answer = await client.call("POST", base + "addresses", {"addressTemplate": template})
    address = answer.headers["Location"]
    await client.follow(answer, "reserving an address")
    ip = str((await client.get(address))["ip"])
    out.print(f"{address} is {ip}, known to the network's DNS as second")
    second = await _second_guest(client, base, network, address, image)
    await _ping(machine, await _private_address(client, machine), second, ip, out)
    await client.follow(await client.call("DELETE", second), "deleting the second guest")
    await client.follow(await client.call("DELETE", address), "deleting the address")
    await client.follow(await client.call("DELETE", interface), "unplugging the first guest")
    await client.follow(await client.call("DELETE", network), "deleting the network")


async def _second_guest(client: Client, base: str, network: str, address: str, image: str) -> str:
    template = {
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image},
        "networkInterfaces": [{"network": {"href": network}, "addresses": [{"href": address}]}],
    }
    answer = await client.call("POST", base + "machines", {"name": "second", "machineTemplate": template})
    await client.follow(answer, "creating a second guest")
    return answer.headers["Location"]


async def _ping(first: str, first_ip: str, second: str, second_ip: str, out: Console) -> None:
    """Let each guest ping the other, once the second has taken the address that is reserved for it."""
    await _in_guest(second, f"until ip addr show eth0 | grep -q 'inet {second_ip}/'; do sleep 1; done")
    for machine, ip in ((first, second_ip), (second, first_ip)):
        line = await _in_guest(machine, f"ping -c 3 {ip} | tail -n 2 | head -n 1")
        out.print(f"  {await _in_guest(machine, 'hostname')} pings {ip}: {line}")


async def _private_address(client: Client, machine: str) -> str:
    """Return the IPv4 address of the guest's last interface once the gateway shows it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        listed = await client.get(f"{machine}/networkInterfaces")
        last = listed["machineNetworkInterfaces"][-1]
        for ip in await _addresses(client, last):
            if ":" not in ip:
                return ip
        await asyncio.sleep(0.5)
    raise SystemExit("the guest got no address on the private network")


async def _addresses(client: Client, interface: dict[str, Any]) -> list[str]:
    listed = await client.get(interface["addresses"]["href"] + "?$expand=address")
    return [str(entry["address"]["ip"]) for entry in listed.get("machineNetworkInterfaceAddresses", [])]


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
