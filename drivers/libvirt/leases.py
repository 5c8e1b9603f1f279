"""Giving back the DHCP leases of a guest or an interface that is removed: libvirt keeps them until they expire."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import dataclass

import libvirt
from lxml import etree

from drivers.libvirt.network_lookup import network_of

MAGIC = b"\x63\x82\x53\x63"
RELEASE = b"\x35\x01\x07"
CLIENT_PORT, SERVER_PORT = 68, 67
SHORTEST = 300


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease of a DHCP server that listens at ``server``, the network's own address on its ``bridge``."""

    bridge: str
    server: str
    mac: str
    ip: str
    network: str = ""
    """Name of the libvirt network."""
    server_mac: str = "ff:ff:ff:ff:ff:ff"
    """The bridge's own MAC; everybody's where libvirt does not tell it."""


def of(domain: libvirt.virDomain, only: str | None = None) -> tuple[Lease, ...]:
    """Return the IPv4 leases of a domain's interfaces on virtual networks, or of the one with this MAC.

    A network that is away has none.
    """
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    leases: list[Lease] = []
    for interface in root.iterfind("devices/interface[@type='network']"):
        mac, source = interface.find("mac"), interface.find("source")
        if mac is not None and source is not None and only in (None, mac.get("address")):
            leases += _on_network(domain.connect(), str(source.get("network")), str(mac.get("address")))
    return tuple(leases)


def _on_network(handle: libvirt.virConnect, name: str, mac: str) -> list[Lease]:
    try:
        network = network_of(handle, name)
        leases = network.DHCPLeases(mac)
        root = etree.fromstring(network.XMLDesc(0))
        bridge = network.bridgeName() if leases else ""
    except libvirt.libvirtError:
        return []
    served = [str(ip.get("address")) for ip in root.iterfind("ip[dhcp]")]
    address, hardware = next((ip for ip in served if ":" not in ip), None), root.find("mac")
    if address is None:
        return []
    server_mac = {} if hardware is None else {"server_mac": str(hardware.get("address"))}
    addresses = [lease["ipaddr"] for lease in leases if lease["type"] == libvirt.VIR_IP_ADDR_TYPE_IPV4]
    return [Lease(bridge, address, mac, ip, network.name(), **server_mac) for ip in addresses]


def release(lease: Lease) -> None:
    """Say DHCPRELEASE in the guest's name, from the bridge (RFC 2131, 4.4.6); needs no privilege. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, lease.bridge.encode())
        sender.sendto(message(lease), (lease.server, SERVER_PORT))


def message(lease: Lease) -> bytes:
    """Return the DHCPRELEASE (RFC 2131) in the guest's name, without the headers of UDP and IP. Raises OSError."""
    ours, theirs = socket.inet_aton(lease.ip), socket.inet_aton(lease.server)
    hardware = _hardware(lease.mac)
    fixed = struct.pack("!BBBB4sHH4s12x16s192x", 1, 1, 6, 0, os.urandom(4), 0, 0, ours, hardware)
    options = MAGIC + RELEASE + b"\x36\x04" + theirs + b"\xff"
    return (fixed + options).ljust(SHORTEST, b"\0")


def frame(lease: Lease) -> bytes:
    """Return the Ethernet frame with DHCPRELEASE, as the guest itself would send it to the server alone."""
    payload = message(lease)
    datagram = struct.pack("!HHHH", CLIENT_PORT, SERVER_PORT, 8 + len(payload), 0) + payload
    addresses = socket.inet_aton(lease.ip) + socket.inet_aton(lease.server)
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return _hardware(lease.server_mac) + _hardware(lease.mac) + b"\x08\x00" + header + datagram


def _checksum(header: bytes) -> int:
    """Return the ones' complement of the ones' complement sum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _hardware(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
