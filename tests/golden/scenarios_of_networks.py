"""Networks, their ports, Addresses and ForwardingGroups, and the interfaces that stand on them."""

from __future__ import annotations

from typing import Any

from tests.api.networks import DEFAULT_NETWORK
from tests.golden.stage import BASE, Stage


def network(number: int, **template: Any) -> dict[str, Any]:
    config = {"networkType": "PRIVATE", "cidr": f"10.113.{number}.0/24"}
    return {"name": f"n{number}", "networkTemplate": {"networkConfig": config, **template}}


async def networks(stage: Stage) -> None:
    plain = await stage.make("networks", network(1))
    stopped = await stage.make("networks", network(2, initialState="STOPPED"))
    public = {"networkTemplate": {"networkConfig": {"networkType": "PUBLIC"}}}
    await stage.make("networks", public)
    group = await stage.make("forwardingGroups", {"forwardingGroupTemplate": {"networks": []}})
    await stage.make("networks", network(3, forwardingGroup={"href": group}))
    await stage.machine(await stage.image(), networkInterfaces=[{"network": {"href": plain}}])
    await stage.edit(plain, {"name": "other", "mtu": 1400})
    await stage.act(plain, "stop")
    await stage.act(plain, "start")
    await stage.act(stopped, "start")
    await stage.act(stopped, "stop")
    await stage.delete(stopped)


async def ports(stage: Stage) -> None:
    """One that nobody uses is a row; one that an interface uses is told to the hypervisor."""
    where = await stage.make("networks", network(1))
    port = await stage.make("networkPorts", {"networkPortTemplate": {"network": {"href": where}}})
    interface = [{"networkPort": {"href": port}}]
    await stage.machine(await stage.image(), networkInterfaces=interface)
    await stage.edit(port, {"classOfService": "GOLD"})
    await stage.act(port, "stop")
    await stage.act(port, "start")
    unused = await stage.make("networkPorts", {"networkPortTemplate": {"network": {"href": where}}})
    await stage.delete(unused)


async def forwarding_groups(stage: Stage) -> None:
    first, second, third = [await stage.make("networks", network(number)) for number in (1, 2, 3)]
    of_two = {"forwardingGroupTemplate": {"networks": [{"href": first}, {"href": second}]}}
    group = await stage.make("forwardingGroups", of_two)
    member = await stage.make(f"{group}/networks", {"network": {"href": third}})
    await stage.delete(member)
    await stage.delete(second)
    await stage.delete(group)


def address(where: str, **template: Any) -> dict[str, Any]:
    return {"name": "a", "addressTemplate": {"network": {"href": where}, **template}}


async def own_addresses(stage: Stage) -> None:
    """In a Network of the gateway's: reserved, named, given to interfaces and taken from them."""
    where = await stage.make("networks", network(1))
    first = await stage.make("addresses", address(where, hostname="web"))
    second = await stage.make("addresses", address(where, ip="10.113.1.77"))
    sixth = await stage.make("addresses", address(where, protocol="IPv6", hostname="six"))
    await stage.edit(first, {"hostname": "db"})
    await stage.edit(second, {"hostname": "named"})
    machine = await stage.machine(await stage.image(), networkInterfaces=[{"network": {"href": where}}])
    listed = f"{machine}/networkInterfaces/0/addresses"
    given = await stage.make(listed, {"address": {"href": first}})
    await stage.make(listed, {"address": {"href": sixth}})
    await stage.delete(given)
    await stage.delete(second)
    await stage.delete(machine)


async def shared_addresses(stage: Stage) -> None:
    """In the host's own network, where others have theirs."""
    where = BASE + DEFAULT_NETWORK
    first = await stage.make("addresses", address(where))
    second = await stage.make("addresses", address(where, ip="192.168.122.77"))
    machine = await stage.machine(await stage.image(), initialState="STOPPED")
    given = await stage.make(f"{machine}/networkInterfaces/0/addresses", {"address": {"href": first}})
    await stage.delete(second)
    await stage.delete(given)
    await stage.delete(first)


async def interfaces(stage: Stage) -> None:
    where = await stage.make("networks", network(1))
    held = await stage.make("addresses", address(where))
    machine = await stage.machine(await stage.image())
    at = f"{machine}/networkInterfaces"
    plain = await stage.make(at, {"network": {"href": where}, "macAddress": "52:54:00:01:02:03", "mtu": 1400})
    addressed = await stage.make(at, {"network": {"href": where}, "addresses": [{"href": held}]})
    port = await stage.make("networkPorts", {"networkPortTemplate": {"network": {"href": where}}})
    await stage.make(at, {"networkPort": {"href": port}})
    await stage.edit(plain, {"state": "Passive"})
    await stage.edit(plain, {"state": "Active", "name": "lan"})
    await stage.delete(plain)
    await stage.delete(addressed)


NETWORKS = {
    play.__name__: play for play in (networks, ports, forwarding_groups, own_addresses, shared_addresses, interfaces)
}
