"""A network of the host's own with both protocols, and the host as a neighbour of the guests on it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import libvirt

from tests import hypervisor
from tests.gateway_process import GatewayProcess

CLOSED_PORT = 9
"""Where no guest listens: its kernel answers by itself that nobody does."""


@dataclass(frozen=True)
class HostNetwork:
    """``name`` is libvirt's; the ranges are a /24 and a /64, of which the host has the first address."""

    name: str
    bridge: str
    range4: str
    range6: str
    translated: bool
    """Whether the host forwards with NAT, which makes the network one for the public."""

    @property
    def xml(self) -> str:
        forward = "<forward mode='nat'/>" if self.translated else ""
        return f"""
<network><name>{self.name}</name>{forward}<bridge name='{self.bridge}' stp='on' delay='0'/>
  <ip address='{self.range4}.1' prefix='24'>
    <dhcp><range start='{self.range4}.2' end='{self.range4}.254'/></dhcp>
  </ip>
  <ip family='ipv6' address='{self.range6}::1' prefix='64'/>
</network>"""

    @property
    def local6(self) -> str:
        """The host's own link-local address on the bridge."""
        found = re.search(r"inet6 (fe80\S+)/", run("ip", "-6", "addr", "show", "dev", self.bridge, "scope", "link"))
        assert found is not None
        return found.group(1)

    def entries(self) -> dict[str, str]:
        """The addresses that DHCP keeps, by MAC."""
        with hypervisor.connection() as host:
            xml = host.networkLookupByName(self.name).XMLDesc(0)
        return dict(re.findall(r"<host mac='([^']+)' ip='([^']+)'/>", xml))

    def answers(self, ip: str, seconds: int = 5) -> bool:
        """Whether somebody answers the host at this address, of whom the host knew nothing before."""
        run("ip", "neigh", "flush", "to", ip, "dev", self.bridge)
        scope = socket.if_nametoindex(self.bridge) if ip.startswith("fe80") else 0
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
            probe.settimeout(seconds)
            try:
                probe.connect((ip, CLOSED_PORT, 0, scope) if ":" in ip else (ip, CLOSED_PORT))
            except ConnectionRefusedError:
                return True
            except (TimeoutError, OSError):
                return False
        return True

    def neighbour(self, ip: str) -> str:
        """The MAC that the host has for the address; empty when it has none."""
        found = re.search(r"lladdr (\S+)", run("ip", "neigh", "show", "to", ip, "dev", self.bridge))
        return found.group(1) if found else ""


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def gateway_on(network: HostNetwork, pool: str, images: Path, home: Path) -> Iterator[GatewayProcess]:
    """A running gateway whose guests are on this network; what it made goes with it."""
    process = GatewayProcess(home, pool, images, network=network.name)
    process.prepare()
    process.start()
    yield process
    process.clear()


@contextmanager
def host_network(translated: bool = False) -> Iterator[HostNetwork]:
    """A running network as an admin makes one; afterwards nothing is left of it."""
    with hypervisor.connection() as host:
        network, made = _created(host, translated)
        try:
            yield network
        finally:
            made.destroy()
            made.undefine()


def _created(host: libvirt.virConnect, translated: bool) -> tuple[HostNetwork, libvirt.virNetwork]:
    """Make a network with ranges that no other test process has now."""
    for number in (*range(os.getpid() % 250, 250), *range(os.getpid() % 250)):
        network = HostNetwork(
            f"host-{os.getpid()}", f"host{os.getpid()}", f"172.29.{number}", f"fd99:{number:x}", translated
        )
        made = host.networkDefineXML(network.xml)
        try:
            made.create()
        except libvirt.libvirtError:
            # In use already.
            made.undefine()
            continue
        return network, made
    raise AssertionError("all ranges for host networks are in use")


def sources_of(url: str) -> list[str]:
    """The IPv4 addresses that the guest is held to at its next boot."""
    with hypervisor.connection() as host:
        xml = hypervisor.domain_of(url, host).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    named = ElementTree.fromstring(xml).iterfind(".//filterref/parameter[@name='SOURCE']")
    return [str(entry.get("value")) for entry in named]


def entries(network: HostNetwork) -> dict[str, str]:
    """What libvirt's DHCP keeps in the network, by address: the MACs."""
    return {ip: mac for mac, ip in network.entries().items()}
