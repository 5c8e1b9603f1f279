"""An IPv4 address of a network of the host's own for each interface on it, so that no guest can take another's.

The address is a DHCP entry for the interface's MAC in libvirt's network, made before the guest first asks. libvirt
refuses a second entry for an address or a MAC, and so is the judge between several gateways on one host. Entries of the
gateway's have no name: those with one are an admin's, are used as they are, and stay. For IPv6 an interface has what
its MAC makes (RFC 4291, appendix A) in the network's ranges, and link-local.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

import libvirt
from lxml import etree

from drivers.base import (
    GUARD_HOST,
    GUARD_OWN,
    DriverConflict,
    DriverError,
    DriverNotFound,
    HeldGuests,
    InterfaceSpec,
    Reservation,
    interface_identifier,
    network_uuid,
)
from drivers.host_addresses import free_address, mac_of, own_of, to_give_back
from drivers.libvirt import network_xml, shared_addresses
from drivers.libvirt.connection import Connection
from drivers.libvirt.dhcp_entries import leases_of, update_entry
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.domain_xml import METADATA, filter_reference
from drivers.libvirt.errors import is_connection_lost, read_each, translated
from drivers.libvirt.filters import Filters
from drivers.libvirt.network_lookup import network_of

GUARDS = frozenset({GUARD_HOST, GUARD_OWN})
LINK_LOCAL = "fe80::/64"
TRIES = 20
"""The number of times that an address is chosen again because somebody was quicker."""
DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Own:
    """The addresses that an interface may send from; ``ip`` is None on a network where libvirt gives no addresses."""

    ip: str | None
    six: tuple[str, ...]

    def held(self, spec: InterfaceSpec) -> InterfaceSpec:
        """Return the interface held to these addresses."""
        source = spec.source if self.ip is None else f"{self.ip}/32"
        return replace(spec, filter=GUARD_OWN, source=source, sources6=self.six)


class OwnAddresses:
    """The part ``addresses`` of the driver (drivers.base.AddressCalls), and what interfaces need of it."""

    def __init__(self, connection: Connection, filters: Filters) -> None:
        self._connection = connection
        self._filters = filters
        self._turn = asyncio.Lock()

    async def held_new(self, spec: InterfaceSpec) -> InterfaceSpec:
        """Return what ``held`` does, for an interface that comes to be.

        Raises DriverConflict when a foreign guest has its MAC.
        """
        if spec.filter == GUARD_HOST:
            network, mac = spec.network, spec.mac
            await self._connection.call(lambda handle: refuse_foreign(handle, network, mac), deadline=DEADLINE)
        return await self.held(spec)

    async def held(self, spec: InterfaceSpec) -> InterfaceSpec:
        """Return the interface held to the address that is its own from now on; one of another guard as it is.

        All that its filter refers to is there after this. Raises DriverConflict when no address is left.
        """
        if spec.filter is not None:
            await self._filters.ensure_guards()
        if spec.filter != GUARD_HOST:
            return spec
        async with self._turn:
            own = await self._connection.call(lambda handle: claim(network_of(handle, spec.network), spec.mac))
        return own.held(spec)

    async def give_back(self, macs: Iterable[str]) -> None:
        """Remove the entries without a name of these MACs, but for those that foreign guests have."""
        gone = frozenset(mac.lower() for mac in macs)
        if gone:
            async with self._turn:
                await self._connection.call(lambda handle: release(handle, gone), deadline=DEADLINE)

    async def take(self, network: str, wanted: Reservation, ours: frozenset[str]) -> None:
        """Make the entry; libvirt judges between several gateways that want one address."""
        async with self._turn:
            await self._connection.call(lambda handle: shared_addresses.take(network_of(handle, network), wanted, ours))

    async def leave(self, network: str, ip: str, ours: frozenset[str]) -> None:
        """Take out the entry; a network that is gone is no error either."""
        async with self._turn:
            with suppress(DriverNotFound):
                await self._connection.call(
                    lambda handle: shared_addresses.leave(network_of(handle, network), ip, ours)
                )

    async def hold_guests(self, only: frozenset[str] | None = None) -> HeldGuests:
        """Hold the interfaces, after the filters are there that hold them."""
        await self._filters.ensure_guards()
        async with self._turn:
            return await self._connection.call(lambda handle: hold_all(handle, only), deadline=DEADLINE)


def refuse_foreign(handle: libvirt.virConnect, network: str, mac: str) -> None:
    """Raise DriverConflict when the MAC has an address in the network, and is that of a domain which is not ours.

    An entry alone says nothing: an admin may have made it for our guest, or a step of ours that was broken off.
    """
    place, mac = network_of(handle, network), mac.lower()
    entries = network_xml.dhcp_entries(network_xml.parsed(place))
    if mac not in {mac_of(entry) for entry in entries} | set(leases_of(place).values()):
        return
    if mac in _foreign_macs(handle):
        raise DriverConflict(f"the MAC address {mac} is that of another guest in the network {network}")


def claim(network: libvirt.virNetwork, mac: str) -> Own:
    """Give the MAC its own address, the same one whenever asked. Raises DriverConflict when none is free."""
    for _ in range(TRIES):
        root = network_xml.parsed(network)
        six = own_ipv6(root, mac)
        served = network_xml.served(root)
        if served is None:
            return Own(None, six)
        entries = network_xml.dhcp_entries(root)
        present = own_of(entries, mac)
        if present is not None:
            return Own(present, six)
        gateway = served.gateway.partition("/")[0]
        ip = free_address(served.spans, gateway, entries, leases_of(network), mac)
        try:
            update_entry(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, Reservation(ip, mac))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                raise
            continue
        return Own(ip, six)
    raise DriverConflict(f"others take every address that is chosen in the network {network.name()}; try again")


def release(handle: libvirt.virConnect, macs: frozenset[str]) -> None:
    """Take out the entries of these MACs; those with a name are an admin's, and those of foreign guests stay too."""
    macs -= _foreign_macs(handle)
    for network in handle.listAllNetworks():
        if network_uuid(network.name()) is not None:
            continue
        for root in read_each([network], network_xml.parsed, libvirt.VIR_ERR_NO_NETWORK):
            for entry in to_give_back(network_xml.dhcp_entries(root), macs):
                update_entry(network, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, entry)


def own_ipv6(network: etree._Element, mac: str) -> tuple[str, ...]:
    """Return the IPv6 addresses that a guest with this MAC, and nobody else, makes itself."""
    ranges = [
        str(ipaddress.ip_interface(f"{ip.get('address')}/{ip.get('prefix') or 64}").network)
        for ip in network.iterfind("ip")
        if not _is_ipv4(ip)
    ]
    wide = [ipaddress.IPv6Network(entry) for entry in (LINK_LOCAL, *ranges)]
    return tuple(str(entry[interface_identifier(mac)]) for entry in wide if entry.prefixlen <= 64)


def _is_ipv4(ip: etree._Element) -> bool:
    return ":" not in (ip.get("address") or "")


# Domains that are there


def _on_host_networks(root: etree._Element) -> Iterator[etree._Element]:
    for interface in root.iterfind("devices/interface[@type='network']"):
        reference = interface.find("filterref")
        if reference is not None and reference.get("filter") in GUARDS:
            yield interface


def _foreign_macs(handle: libvirt.virConnect) -> frozenset[str]:
    """Return the MACs of all domains that are not ours, in lower case."""
    roots = read_each(handle.listAllDomains(), _parsed, libvirt.VIR_ERR_NO_DOMAIN)
    foreign = (root for root in roots if not _is_ours(root))
    return frozenset(_mac(interface).lower() for root in foreign for interface in root.iterfind("devices/interface"))


def _parsed(domain: libvirt.virDomain) -> etree._Element:
    return etree.fromstring(domain.XMLDesc(0), PARSER)


def _is_ours(domain: etree._Element) -> bool:
    return domain.find(f"metadata/{{{METADATA}}}machine") is not None


def _attribute(interface: etree._Element, path: str, name: str) -> str:
    child = interface.find(path)
    return (child.get(name) or "") if child is not None else ""


def _mac(interface: etree._Element) -> str:
    return _attribute(interface, "mac", "address")


def hold_all(handle: libvirt.virConnect, only: frozenset[str] | None = None) -> HeldGuests:
    """Hold the guests of all our domains, or of ``only`` these; one that cannot be held stops no other.

    Raises libvirtError when the connection is lost.
    """
    macs: list[str] = []
    failed: dict[str, str] = {}
    for domain in handle.listAllDomains():
        if only is not None and domain.UUIDString() not in only:
            continue
        try:
            macs += _hold(domain)
        except DriverError as error:
            failed[domain.UUIDString()] = str(error)
        except libvirt.libvirtError as error:
            if is_connection_lost(error):
                raise
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                failed[domain.UUIDString()] = str(translated(error))
    return HeldGuests(tuple(macs), failed)


def _hold(domain: libvirt.virDomain) -> tuple[str, ...]:
    """Hold a domain's interfaces, and return the MACs of those that had to be changed.

    A guest that runs keeps what DHCP gave it; one that has no lease is held from its next boot on.
    """
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), PARSER)
    if not _is_ours(root):
        return ()
    changed: set[str] = set()
    for interface in _on_host_networks(root):
        if _hold_interface(domain, interface, libvirt.VIR_DOMAIN_AFFECT_CONFIG, leased_only=False):
            changed.add(_mac(interface))
    if domain.isActive():
        for interface in _on_host_networks(etree.fromstring(domain.XMLDesc(0), PARSER)):
            if _hold_interface(domain, interface, libvirt.VIR_DOMAIN_AFFECT_LIVE, leased_only=True):
                changed.add(_mac(interface))
    return tuple(changed)


def _hold_interface(domain: libvirt.virDomain, interface: etree._Element, scope: int, *, leased_only: bool) -> bool:
    """Hold the interface to its own address, and return whether it had to be changed."""
    reference, mac = interface.find("filterref"), _mac(interface)
    network = network_of(domain.connect(), _attribute(interface, "source", "network"))
    assert reference is not None
    own = claim(network, mac)
    if leased_only and reference.get("filter") == GUARD_HOST and leases_of(network).get(own.ip or "") != mac.lower():
        return False
    wanted = filter_reference(own.held(_spec(interface)))
    assert wanted is not None
    if _shape(wanted) == _shape(reference):
        return False
    interface.replace(reference, wanted)
    domain.updateDeviceFlags(etree.tostring(interface, encoding="unicode"), scope)
    return True


def _spec(interface: etree._Element) -> InterfaceSpec:
    """Return as much of the interface as its filter's parameters are made of."""
    parameters: dict[str, list[str]] = {}
    for parameter in interface.iterfind("filterref/parameter"):
        parameters.setdefault(str(parameter.get("name")), []).append(str(parameter.get("value")))
    pairs = {
        name: [
            f"{ip}/{mask}"
            for ip, mask in zip(parameters.get(name, ()), parameters.get(f"{name}MASK", ()), strict=False)
        ]
        for name in ("SOURCE", "FENCED", "FENCED6")
    }
    return InterfaceSpec(
        mac=_mac(interface),
        network=_attribute(interface, "source", "network"),
        filter=GUARD_HOST,
        source=next(iter(pairs["SOURCE"]), None),
        fenced=(*pairs["FENCED"], *pairs["FENCED6"]),
    )


def _shape(reference: etree._Element) -> tuple[str | None, list[tuple[str, str]]]:
    """Return what a reference says: lists keep their order, names do not."""
    entries = [(str(entry.get("name")), str(entry.get("value"))) for entry in reference.iterfind("parameter")]
    return reference.get("filter"), sorted(entries, key=lambda entry: entry[0])
