"""From an AddressTemplate to a reserved Address: its range, its attributes, its place in the store (DSP0263 5.19.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address

from gateway.cimi.filter import AttributeType, Comparison
from gateway.errors import Conflict, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import checked_hostname
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.address_ranges import IP, AddressRange, parse_ip
from gateway.orchestration.networks.facts import KeptAddress, KeptNetwork
from gateway.orchestration.networks.host_network import network_path
from gateway.orchestration.networks.ranges import as_range, range_spec
from gateway.orchestration.networks.reservations import reserve, reserve_next
from gateway.orchestration.networks.shared_addresses import (
    held_by_others,
    is_shared,
    reserve_free,
    served_ranges,
    unused_mac,
    with_mac,
)
from gateway.store.claims import claim, holder_of
from gateway.store.model import Document, Query, Resource
from gateway.store.reading import Reading
from gateway.store.transaction import Transaction

UNSETTLED = frozenset({"CREATING", "DELETING", "ERROR"})
PAGE, MOST_LOOKED_AT = 100, 10_000
"""Number of Networks that are read at once, and at most, for an Address that names none: of the user's own, and of
all.
"""
RESERVED = "reservation"
"""The source of an Address that a client asked for; the others come from what guests do."""


def address_ranges(network: Resource) -> tuple[AddressRange, ...]:
    """Return the ranges in which this gateway gives addresses; none where neither it nor libvirt is the DHCP server."""
    if is_shared(network):
        return served_ranges(network)
    return tuple(address_range(entry) for entry in KeptNetwork.of(network).ranges)


def address_range(text: str) -> AddressRange:
    """Return what a Network's range gives, and to whom."""
    spec = range_spec(text)
    gateway = parse_ip(spec.gateway, "gateway")
    if spec.dynamic is None:
        return AddressRange(as_range(text), gateway)
    first, last = spec.dynamic
    return AddressRange(as_range(text), gateway, (parse_ip(first, "dynamic"), parse_ip(last, "dynamic")))


@dataclass(frozen=True, slots=True)
class AddressWish:
    """A checked wish for an address; ``where`` is the attribute that holds the template."""

    network: Resource
    ranges: tuple[AddressRange, ...]
    """Ranges that may give it: of one protocol."""
    ip: IP | None
    hostname: str | None
    allocation: str
    where: str
    taken: frozenset[str] = frozenset()
    """Addresses that others have in a network of the host's own."""


async def address_wish(
    room: Room, caller: Caller, given: Document, where: str, network: Resource | None = None
) -> AddressWish:
    """Return what a template asks for; ``network`` where it follows from elsewhere. Raises what the wish deserves."""
    template: Document = {}
    if "href" in given:
        template = (await resolve(room.store, caller, given["href"], ("AddressTemplate",), where)).document
    template = merged(template, given)
    network = await _network(room, caller, template, where, network)
    ranges = _giving(network, f"{where}.network")
    ip = parse_ip(template["ip"], f"{where}.ip") if "ip" in template else None
    allocation = template.get("allocation", "static")
    if ip is not None and allocation == "dynamic":
        raise Invalid("is chosen by the gateway when allocation is dynamic; leave one of the two out", f"{where}.ip")
    entry = _one_range(ranges, template.get("protocol"), ip, where)
    if ip is not None:
        entry.check(ip, f"{where}.ip")
    _check_facts(template, entry, where)
    hostname = checked_hostname(template["hostname"], f"{where}.hostname") if template.get("hostname") else None
    taken = await _taken(room, network, ip, hostname, where) if is_shared(network) else frozenset()
    return AddressWish(network, (entry,), ip, hostname, allocation, where, taken)


async def _taken(room: Room, network: Resource, ip: IP | None, hostname: str | None, where: str) -> frozenset[str]:
    """Return what others have in a network of the host's own. Raises what a wish for one of these deserves."""
    if hostname is not None:
        raise Invalid("names in the host's own Network are for its admin to give; leave it out", f"{where}.hostname")
    taken = await held_by_others(room, network)
    if str(ip) in taken:
        raise Conflict(f"{where}.ip: {ip} is in use or reserved in this Network; choose another")
    return taken


async def _network(room: Room, caller: Caller, template: Document, where: str, network: Resource | None) -> Resource:
    """Return the Network of an Address; ``network`` is that of the interface that is to use it."""
    href = template.get("network", {}).get("href")
    if href is None:
        return network or await public_network(room, caller, template, where)
    if network is not None and href == network.path:
        return network
    if network is not None:
        raise Invalid(f"is another Network than the interface's, which is {network.path}", f"{where}.network")
    return await resolve(room.store, caller, href, ("Network",), f"{where}.network")


async def public_network(room: Room, caller: Caller, template: Document, where: str) -> Resource:
    """Return the Network for an Address whose template names none, as templates of 1.x need not (DSP0263 5.19.2).

    This is the Network of Machines which name none, when it is PUBLIC and gives what the template asks for; else the
    oldest PUBLIC Network that does, the caller's own before those that are shared. Raises Invalid when there is none.
    """
    for settings in room.hypervisors.values():
        default = await room.store.get(network_path(settings))
        if default is not None and default.document.get("networkType") == "PUBLIC" and _suits(default, template):
            return default
    return await _oldest_public(room.store, caller, template, where)


async def _oldest_public(store: Reading, caller: Caller, template: Document, where: str) -> Resource:
    public = Comparison("networkType", "=", "PUBLIC", AttributeType.STRING)
    query = Query("Network", visible_to=caller.project, filters=(public,))
    for each in (replace(query, project=caller.project), query):
        network = await _first_suiting(store, each, template)
        if network is not None:
            return network
    raise Invalid(
        "is missing, and neither the host's own PUBLIC Networks nor yours give such an address; make a Network, or "
        "name one",
        f"{where}.network",
    )


async def _first_suiting(store: Reading, query: Query, template: Document) -> Resource | None:
    for first in range(1, MOST_LOOKED_AT, PAGE):
        page = await store.page(replace(query, first=first, last=first + PAGE - 1))
        for network in page.items:
            if _suits(network, template):
                return network
        if first + PAGE > page.count:
            break
    return None


def _suits(network: Resource, template: Document) -> bool:
    """Return whether a Network gives addresses of the protocol, or the very address, that a template asks for."""
    if network.state in UNSETTLED or (is_shared(network) and template.get("hostname")):
        return False
    ranges, protocol = address_ranges(network), template.get("protocol")
    if protocol is not None:
        ranges = tuple(entry for entry in ranges if protocol == f"IPv{entry.version}")
    if "ip" not in template:
        return bool(ranges)
    try:
        ip = ip_address(template["ip"])
    except ValueError:
        return bool(ranges)
    return any(ip in entry.range for entry in ranges)


def _giving(network: Resource, where: str) -> tuple[AddressRange, ...]:
    """Return the ranges of a Network that gives addresses. Raises Invalid or Conflict for one that does not."""
    ranges = address_ranges(network)
    if not ranges and is_shared(network) and network.state not in UNSETTLED:
        raise Invalid("the Network is the host's own, and libvirt gives no addresses there; use another", where)
    if not ranges and network.state not in UNSETTLED:
        raise Invalid("the Network is a bridge of the host, where others give the addresses", where)
    if network.state in UNSETTLED:
        raise Conflict(f"{where}: the Network is {network.state}")
    return ranges


def _one_range(ranges: tuple[AddressRange, ...], protocol: str | None, ip: IP | None, where: str) -> AddressRange:
    """Return the range of the protocol, else of the address, else of IPv4 where there is one. Raises Invalid."""
    if ip is not None and protocol is not None and protocol != f"IPv{ip.version}":
        raise Invalid(f"{ip} is no {protocol} address, as protocol says", f"{where}.ip")
    version = int(protocol[-1]) if protocol is not None else ip.version if ip is not None else ranges[0].version
    for entry in ranges:
        if entry.version == version:
            return entry
    protocols = " and ".join(f"IPv{entry.version}" for entry in ranges)
    attribute = "ip" if ip is not None else "protocol"
    raise Invalid(f"the Network has {protocols} addresses only", f"{where}.{attribute}")


def _check_facts(template: Document, entry: AddressRange, where: str) -> None:
    """Raise Invalid when a template wants another mask, gateway or DNS server than the network has."""
    for name, value in network_facts(entry).items():
        if name in template and template[name] != value:
            words = ", ".join(value) if isinstance(value, list) else value
            raise Invalid(f"is {words} in this Network, and cannot be chosen", f"{where}.{name}")


def network_facts(entry: AddressRange) -> Document:
    """Return the attributes of an Address that follow from its network's range."""
    gateway = str(entry.gateway)
    return {"defaultGateway": gateway, "dns": [gateway], "protocol": f"IPv{entry.version}", "mask": entry.mask}


async def reserved_address(transaction: Transaction, wish: AddressWish, project: str | None, own: Document) -> Resource:
    """Return the new Address, inserted and reserved. Raises Conflict when it, or its name, is taken or none is left."""
    network = await transaction.get(wish.network.path)
    if network is None or network.state in UNSETTLED:
        raise Conflict(f"{wish.where}.network: the Network is {'gone' if network is None else network.state}")
    facts = {"allocation": wish.allocation, "network": {"href": network.path}}
    if wish.hostname is not None:
        facts["hostname"] = wish.hostname
    address, kept = new_resource("Address", project, {}), KeptAddress(host=KeptNetwork.of(network).host)
    ip, entry = await _reserve(transaction, wish, address.path), wish.ranges[0]
    if is_shared(network):
        kept = replace(with_mac(kept, unused_mac(address.path)), shared=True, chosen=wish.ip is None)
    if wish.hostname is not None:
        scope = hostname_scope(network.path, entry.version)
        await claim_hostname(transaction, scope, wish.hostname, address.path, f"{wish.where}.hostname")
    document = {**own, "ip": str(ip), **facts, **network_facts(entry), "source": RESERVED}
    return await transaction.insert(kept.on(replace(address, document=document)))


async def _reserve(transaction: Transaction, wish: AddressWish, holder: str) -> IP:
    """Return the IP that is now the holder's. Raises Conflict when it is taken, or none is left."""
    if wish.ip is None and is_shared(wish.network):
        chosen = await reserve_free(transaction, wish.network.path, wish.ranges[0], holder, wish.taken)
        return parse_ip(chosen, "ip")
    if wish.ip is None:
        return await reserve_next(transaction, wish.network.path, wish.ranges, holder)
    if not await reserve(transaction, wish.network.path, wish.ip, holder):
        raise Conflict(f"{wish.where}.ip: {wish.ip} is in use or reserved in this Network; choose another")
    return wish.ip


def hostname_scope(network: str, version: int) -> str:
    """Return where a name of a Network's guest is claimed: of each version of IP it means one address."""
    return f"{network} names IPv{version}"


async def claim_hostname(transaction: Transaction, scope: str, hostname: str, holder: str, where: str) -> None:
    """Take the name for the holder. Raises Conflict, naming the attribute, when another Address has it."""
    if not await claim(transaction, scope, hostname, holder):
        other = await holder_of(transaction, scope, hostname)
        raise Conflict(f"{where}: {hostname} is the name of {other} in this Network already")
