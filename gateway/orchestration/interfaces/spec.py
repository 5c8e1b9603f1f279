"""A Machine's interface as the hypervisor gets it, from its entry, and as the guest gets it, by the seed.

By the seed a guest gets reserved IPv6 Addresses, which no DHCP server gives.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from drivers.base import GUARD_HOST, Driver, HypervisorSettings, InterfaceSpec, fixed_filter_name, interface_identifier
from drivers.seed import SeedInterface
from gateway.orchestration.common.room import Room
from gateway.orchestration.interfaces.entries import entry_id
from gateway.orchestration.machine_core.facts import InterfaceEntry
from gateway.orchestration.networks.assignment import is_reserved, reserved_ips, used_addresses
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.spec import traffic_of
from gateway.store.model import Resource
from gateway.store.reading import Reading

NOWHERE = ("255.255.255.255/32", "::/128")


async def interface_spec(room: Room, driver: Driver, machine: Resource, entry: InterfaceEntry) -> InterfaceSpec:
    """Return the interface as the hypervisor gets it, held to its reserved addresses where it has any."""
    settings = room.hypervisors[driver.name]
    path = f"{machine.path}/networkInterfaces/{entry_id(machine, entry)}"
    return held(open_spec(entry, settings), entry, settings, await reserved_ips(room.store, path))


def open_spec(entry: InterfaceEntry, settings: HypervisorSettings) -> InterfaceSpec:
    """Return the interface as if no address was reserved for it: it may use all that its network gives."""
    return InterfaceSpec(
        mac=entry.mac,
        network=entry.network,
        mtu=entry.mtu,
        link_up=entry.up if entry.link is None else entry.link,
        traffic=traffic_of(entry.service, settings),
        filter=entry.filter,
        source=entry.source,
        fenced=fenced(settings) if entry.filter == GUARD_HOST else (),
    )


def held(
    spec: InterfaceSpec, entry: InterfaceEntry, settings: HypervisorSettings, reserved: Sequence[str]
) -> InterfaceSpec:
    """Return the interface held to its addresses: one of IPv4, which DHCP gives; of IPv6 all reserved and its own."""
    if not settings.anti_spoofing or spec.filter is None:
        return spec
    four, six = ([ip for ip in reserved if (":" in ip) == of_six] for of_six in (False, True))
    if len(four) == 1:
        spec = replace(spec, source=f"{four[0]}/32")
    if six:
        name = fixed_filter_name(entry.network_path.rpartition("/")[2])
        spec = replace(spec, filter=name, sources6=(*six, *own_addresses(six, spec.mac)))
    return spec


def own_addresses(reserved: Sequence[str], mac: str) -> list[str]:
    """Return the address that a guest with this MAC makes itself in the /64 of each reserved one (RFC 4291, app. A)."""
    ranges = {ipaddress.IPv6Network((ip, 64), strict=False) for ip in reserved}
    return [str(entry[interface_identifier(mac)]) for entry in sorted(ranges)]


def fenced(settings: HypervisorSettings) -> tuple[str, ...]:
    """Return the ranges of the gateway's own networks, and for a protocol without such a range one that is nowhere."""
    pools = [pool.range for pool in settings.address_pools]
    nowhere = [entry for entry in NOWHERE if not any((":" in pool) == (":" in entry) for pool in pools)]
    return (*pools, *nowhere)


async def seed_interfaces(store: Reading, machine: Resource) -> tuple[SeedInterface, ...]:
    """Return the interfaces of a Machine with reserved IPv6 Addresses; none of another: its guest does as it likes."""
    used = await used_addresses(store, machine.path)
    six = [address for address in used if is_reserved(address) and address.document["protocol"] == "IPv6"]
    if not six:
        return ()
    interfaces = await store.children(machine.path, "MachineNetworkInterface")
    ordered = sorted(interfaces, key=lambda interface: int(interface.path.rpartition("/")[2]))
    entries = [await _seed_interface(store, interface, six) for interface in ordered]
    leading = next(entry for entry in entries if entry.gateway)
    return tuple(entry if entry is leading else replace(entry, gateway="") for entry in entries)


async def _seed_interface(store: Reading, interface: Resource, six: list[Resource]) -> SeedInterface:
    network = await store.get(interface.document["network"]["href"])
    ranges = KeptNetwork.of(network).ranges if network is not None else ()
    own = [address.document for address in six if address.document["resource"]["href"] == interface.path]
    return SeedInterface(
        mac=interface.document["macAddress"],
        # Only the DHCP server of a network can say, when its ranges are not known.
        dhcp4=not ranges or any(":" not in entry for entry in ranges),
        addresses=tuple(f"{document['ip']}/{document['mask']}" for document in own),
        gateway=own[0]["defaultGateway"] if own else "",
    )
