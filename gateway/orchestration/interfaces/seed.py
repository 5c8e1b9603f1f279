"""The interfaces in a Machine's seed, by which its guest gets reserved IPv6 Addresses, which no DHCP server gives."""

from __future__ import annotations

from dataclasses import replace

from drivers.seed import SeedInterface
from gateway.orchestration.networks.assignment import is_reserved, used_addresses
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.store.model import Resource
from gateway.store.reading import Reading


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
