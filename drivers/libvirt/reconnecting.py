"""Guests' interfaces back on their network after it was stopped and started again.

A network that stops takes its bridge away, and the guests' taps stay behind on none. libvirt plugs a tap into
another bridge when its interface is moved to another network, and only then: so each lost interface is moved to a
network that leads nowhere, and back. Runs on worker threads.
"""

from __future__ import annotations

import libvirt
from lxml import etree

from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.domain_xml import METADATA, child
from drivers.libvirt.network_lookup import network_of

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE


def reconnect(handle: libvirt.virConnect, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Look at every running domain; the last one's error is raised when all others are back on their networks."""
    ports = {name: macs for name in names if (macs := _ports(handle, name)) is not None}
    moved: dict[str, tuple[str, ...]] = {}
    if not ports:
        return moved
    failed: libvirt.libvirtError | None = None
    for domain in handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
        try:
            for name, interface in _lost(domain, ports):
                _move(handle, domain, interface, name)
                moved[name] = (*moved.get(name, ()), _attribute(interface, "mac", "address"))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                failed = error
    if failed is not None:
        raise failed
    return moved


def _ports(handle: libvirt.virConnect, name: str) -> set[str] | None:
    """Return the MACs at the ports of an active network; None when it is not active, or gone."""
    try:
        network = network_of(handle, name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
            raise
        return None
    return {_mac_of_port(port) for port in network.listAllPorts()} if network.isActive() else None


def _mac_of_port(port: libvirt.virNetworkPort) -> str:
    return _attribute(etree.fromstring(port.XMLDesc(0), PARSER), "mac", "address")


def _attribute(element: etree._Element, path: str, name: str) -> str:
    entry = element.find(path)
    return (entry.get(name) or "") if entry is not None else ""


def _lost(domain: libvirt.virDomain, ports: dict[str, set[str]]) -> list[tuple[str, etree._Element]]:
    """Return the running interfaces of a domain of ours that should stand on one of these networks and do not."""
    running = etree.fromstring(domain.XMLDesc(0), PARSER)
    if running.find(f"metadata/{{{METADATA}}}machine") is None:
        return []
    kept = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), PARSER)
    homes = {
        _attribute(entry, "mac", "address"): _attribute(entry, "source", "network")
        for entry in kept.iterfind("devices/interface")
    }
    lost = []
    for interface in running.iterfind("devices/interface"):
        mac = _attribute(interface, "mac", "address")
        home = homes.get(mac, "")
        there = _attribute(interface, "source", "network") == home and mac in ports.get(home, ())
        if home in ports and not there:
            lost.append((home, interface))
    return lost


def _move(handle: libvirt.virConnect, domain: libvirt.virDomain, interface: etree._Element, name: str) -> None:
    """Move the interface to nowhere, unless an interrupted run left it there, and back."""
    nowhere = Nowhere(handle, _attribute(interface, "mac", "address"))
    if _attribute(interface, "source", "network") != nowhere.name:
        nowhere.ensure()
        _plug(domain, interface, nowhere.name)
    _plug(domain, interface, name)
    nowhere.remove()


def _plug(domain: libvirt.virDomain, interface: etree._Element, name: str) -> None:
    source = interface.find("source")
    assert source is not None
    source.attrib.clear()
    source.set("network", name)
    domain.updateDeviceFlags(etree.tostring(interface, encoding="unicode"), LIVE)


class Nowhere:
    """A network for one interface alone, named after it, so that whoever comes after a crash finds it."""

    def __init__(self, handle: libvirt.virConnect, mac: str) -> None:
        digits = mac.replace(":", "")
        self._handle = handle
        self._bridge = f"cno{digits}"
        self.name = f"cimi-nowhere-{digits}"

    def ensure(self) -> None:
        """Create the network, unless it is there already."""
        network = etree.Element("network")
        child(network, "name", self.name)
        child(network, "bridge", name=self._bridge, stp="off", delay="0")
        try:
            self._handle.networkCreateXML(etree.tostring(network, encoding="unicode"))
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_NETWORK_EXIST):
                raise
            self._handle.networkLookupByName(self.name)

    def remove(self) -> None:
        """Remove the network; one that is gone is no error."""
        try:
            self._handle.networkLookupByName(self.name).destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NETWORK:
                raise
