"""Network definitions, built from elements only; and what libvirt tells of networks, read back."""

from __future__ import annotations

from dataclasses import replace

import libvirt
from lxml import etree

from drivers.base import NetworkFacts, NetworkSpec, RangeSpec, Reservation, ServedRange
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.domain_xml import METADATA, bandwidth_element, child, one_line


def network_xml(spec: NetworkSpec) -> str:
    """Return libvirt's definition of the network."""
    network = etree.Element("network", nsmap={"cimi": METADATA})
    child(network, "name", spec.name)
    child(network, "uuid", spec.uuid)
    network.append(_metadata(spec))
    _forward(network, spec)
    if spec.forward == "bridge":
        child(network, "bridge", name=spec.bridge)
        return etree.tostring(network, encoding="unicode")
    # No spanning-tree delay: a guest asks for its address as soon as it is up.
    child(network, "bridge", name=spec.bridge, stp="on", delay="0")
    if spec.mtu is not None:
        child(network, "mtu", size=str(spec.mtu))
    if spec.domain:
        child(network, "domain", name=spec.domain, localOnly="yes")
    _dns(network, spec)
    if spec.traffic is not None:
        network.append(bandwidth_element(spec.traffic))
    for entry in spec.ranges:
        _range(network, entry, spec.reservations)
    return etree.tostring(network, encoding="unicode")


def _metadata(spec: NetworkSpec) -> etree._Element:
    metadata = etree.Element("metadata")
    child(metadata, f"{{{METADATA}}}network", path=spec.network, owner=spec.owner, title=one_line(spec.title))
    return metadata


def _forward(network: etree._Element, spec: NetworkSpec) -> None:
    if spec.forward == "isolated":
        return
    forward = child(network, "forward", mode=spec.forward)
    if spec.device and spec.forward in ("nat", "route"):
        forward.set("dev", spec.device)
    if spec.forward == "nat":
        nat = child(forward, "nat")
        if any(":" in entry.gateway for entry in spec.ranges):
            nat.set("ipv6", "yes")
        child(nat, "port", start="1024", end="65535")


def _dns(network: etree._Element, spec: NetworkSpec) -> None:
    named = [entry for entry in spec.reservations if entry.hostname]
    if named:
        dns = child(network, "dns")
        for entry in named:
            dns.append(dns_host(entry))


def dns_host(reservation: Reservation) -> etree._Element:
    """Return the ``<host>`` by which DNS knows the reservation's address."""
    host = etree.Element("host", ip=reservation.ip)
    if reservation.hostname:
        child(host, "hostname", reservation.hostname)
    return host


def dhcp_host(reservation: Reservation) -> etree._Element:
    """Return the ``<host>`` by which DHCP gives the address to the reservation's MAC, which there must be."""
    assert reservation.mac is not None
    host = etree.Element("host", mac=reservation.mac)
    if reservation.hostname:
        host.set("name", reservation.hostname)
    host.set("ip", reservation.ip)
    return host


def _range(network: etree._Element, entry: RangeSpec, reservations: tuple[Reservation, ...]) -> None:
    six = ":" in entry.gateway
    ip = child(network, "ip", address=entry.gateway, prefix=str(entry.prefix))
    if six:
        ip.set("family", "ipv6")
    if entry.dynamic is None:
        return
    dhcp = child(ip, "dhcp")
    child(dhcp, "range", start=entry.dynamic[0], end=entry.dynamic[1])
    for reservation in reservations:
        if not six and reservation.mac is not None and ":" not in reservation.ip:
            dhcp.append(dhcp_host(reservation))


def read(network: libvirt.virNetwork) -> NetworkFacts:
    """Return the network as libvirt tells it; runs on worker threads."""
    root = parsed(network)
    bridge, forward, mtu = root.find("bridge"), root.find("forward"), root.find("mtu")
    owner = root.find(f"metadata/{{{METADATA}}}network")
    return NetworkFacts(
        name=network.name(),
        active=bool(network.isActive()),
        bridge=bridge.get("name") if bridge is not None else None,
        forward=(forward.get("mode") or "nat") if forward is not None else "isolated",
        mtu=int(mtu.get("size") or 0) or None if mtu is not None else None,
        uuid=network.UUIDString(),
        network=owner.get("path") if owner is not None else None,
        ranges=tuple(_facts_of(ip) for ip in root.iterfind("ip")),
        reservations=_reservations(root),
        persistent=bool(network.isPersistent()),
        served=served(root),
    )


def served(root: etree._Element) -> ServedRange | None:
    """Return the IPv4 addresses that DHCP gives in the first range where it gives any; None when it gives none."""
    for ip in root.iterfind("ip"):
        spans = tuple((str(span.get("start")), str(span.get("end"))) for span in ip.iterfind("dhcp/range"))
        if spans and ":" not in (ip.get("address") or ""):
            return ServedRange(_facts_of(ip), spans)
    return None


def parsed(network: libvirt.virNetwork) -> etree._Element:
    """Return the root of the network's definition as it is now."""
    return etree.fromstring(network.XMLDesc(0), PARSER)


def _facts_of(ip: etree._Element) -> str:
    """Return an address with its mask: libvirt writes either prefix or netmask, or leaves an old class to guess."""
    return f"{ip.get('address')}/{ip.get('prefix') or ip.get('netmask') or '24'}"


def _reservations(root: etree._Element) -> tuple[Reservation, ...]:
    """Return what both DHCP and DNS know, as one; a half that an interrupted change left stands as what it is."""
    names = {entry.ip: entry.hostname for entry in dns_entries(root)}
    entries = [
        entry if entry.hostname == names.get(entry.ip) else replace(entry, hostname=names.pop(entry.ip, None))
        for entry in dhcp_entries(root)
    ]
    served = {entry.ip for entry in entries}
    return (*entries, *(Reservation(ip, None, name) for ip, name in names.items() if ip not in served))


def dhcp_entries(root: etree._Element) -> list[Reservation]:
    """Return the DHCP entries that name an address."""
    return [
        Reservation(str(host.get("ip")), host.get("mac"), host.get("name"))
        for host in root.iterfind("ip/dhcp/host")
        if host.get("ip")
    ]


def dns_entries(root: etree._Element) -> list[Reservation]:
    """Return the DNS entries, each with the first of its names; none of them has a MAC."""
    return [
        Reservation(str(host.get("ip")), None, host.findtext("hostname"))
        for host in root.iterfind("dns/host")
        if host.get("ip")
    ]


def ranges_of(network: libvirt.virNetwork) -> tuple[str, ...]:
    """Return the ranges that a network uses itself or routes to, as addresses with their masks."""
    root = parsed(network)
    return tuple(_facts_of(element) for path in ("ip", "route") for element in root.iterfind(path))
