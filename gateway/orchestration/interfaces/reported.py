"""The addresses which guests use, as Address resources with their source (DSP0263 5.19)."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Iterable

from drivers.base import InterfaceAddress
from gateway import clock
from gateway.orchestration.interfaces.facts import KeptInterfaceAddress
from gateway.orchestration.machine_core.names import machine_uuid
from gateway.orchestration.networks.address_create import RESERVED, address_ranges, network_facts
from gateway.orchestration.networks.assignment import LINK
from gateway.orchestration.networks.reservations import claim_value
from gateway.store.claims import claim, holder_of
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction


async def bring_reported(
    transaction: Transaction, machine: Resource, interface: Resource, seen: Iterable[InterfaceAddress]
) -> None:
    """Make the Addresses that an interface was seen with and that are missing, remove those it has no more.

    A reserved Address which the guest uses stands there already, and is no second one.
    """
    network = await transaction.get(interface.document["network"]["href"])
    wanted: dict[str, InterfaceAddress] = {}
    for address in seen:
        if not await _reserved(transaction, interface, address):
            wanted[_id(machine, address)] = address
    linked = {
        entry.path.rpartition("/")[2]: entry
        for entry in await transaction.children(interface.path, LINK)
        if KeptInterfaceAddress.of(entry).reported
    }
    for name, entry in linked.items():
        if name not in wanted:
            await transaction.delete(entry.path)
            await transaction.delete(f"addresses/{name}")
    for name, address in wanted.items():
        if name not in linked:
            await _add(transaction, interface, network, name, address)


async def _reserved(transaction: Transaction, interface: Resource, address: InterfaceAddress) -> bool:
    network = interface.document["network"]["href"]
    holder = await holder_of(transaction, network, claim_value(ipaddress.ip_address(address.ip)))
    holding = await transaction.get(holder) if holder is not None else None
    if holding is None or holding.document.get("source") != RESERVED:
        return False
    return bool((holding.document.get("resource") or {}).get("href") == interface.path)


def _id(machine: Resource, address: InterfaceAddress) -> str:
    return str(uuid.uuid5(uuid.UUID(machine_uuid(machine)), f"{address.mac} {address.ip}"))


async def _add(
    transaction: Transaction, interface: Resource, network: Resource | None, name: str, address: InterfaceAddress
) -> None:
    """Write the Address with its claim, so that nobody gets it reserved while a guest uses it, whoever gave it."""
    now, path = clock.now(), f"addresses/{name}"
    if await transaction.get(path) is None:
        document = _document(address, interface, network)
        await transaction.insert(Resource(path, "Address", interface.project, document, now, now))
        await claim(
            transaction, interface.document["network"]["href"], claim_value(ipaddress.ip_address(address.ip)), path
        )
    link = {"address": {"href": path}}
    entry = f"{interface.path}/addresses/{name}"
    linked = Resource(entry, LINK, interface.project, link, now, now, parent=interface.path)
    await transaction.insert(KeptInterfaceAddress(reported=True).on(linked))


def _document(address: InterfaceAddress, interface: Resource, network: Resource | None) -> Document:
    ip = ipaddress.ip_address(address.ip)
    facts = _facts(ip, address.prefix, network)
    document = {
        "ip": str(ip),
        "hostname": address.hostname,
        "allocation": "dynamic",
        **facts,
        "network": interface.document.get("network"),
        "resource": {"href": interface.path},
        "source": address.source,
    }
    return {name: value for name, value in document.items() if value is not None}


def _facts(ip: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int, network: Resource | None) -> Document:
    """Return what the network's range says of an address in it; of any other what the guest or its lease says."""
    for entry in address_ranges(network) if network is not None else ():
        if ip in entry.range:
            return network_facts(entry)
    network_of_guest = ipaddress.ip_interface(f"{ip}/{prefix or ip.max_prefixlen}").network
    mask = str(network_of_guest.netmask) if ip.version == 4 else str(network_of_guest.prefixlen)
    return {"protocol": f"IPv{ip.version}", "mask": mask}
