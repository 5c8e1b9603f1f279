"""The hypervisor as an admin sees it with virsh: what exists, what was left over."""

from __future__ import annotations

import ipaddress
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import libvirt

POOLS = Path("/var/lib/libvirt/cimi-tests")
CONSOLES = Path("/var/lib/libvirt/cimi-console")


def quiet() -> None:
    """Keep libvirt's own error lines off the test output; the exceptions carry them."""
    libvirt.registerErrorHandler(lambda _context, _error: None, None)


@contextmanager
def connection(uri: str = "qemu:///system") -> Iterator[libvirt.virConnect]:
    opened = libvirt.open(uri)
    try:
        yield opened
    finally:
        opened.close()


def make_pool(name: str) -> Path:
    """A running directory pool of this name where guests may reach it; its directory."""
    directory = POOLS / name
    directory.mkdir(parents=True, exist_ok=True)
    for path in (POOLS, directory):
        path.chmod(0o711)
    xml = f"<pool type='dir'><name>{name}</name><target><path>{directory}</path></target></pool>"
    with connection() as host:
        host.storagePoolDefineXML(xml, 0).create(0)
    return directory


@contextmanager
def own_pool() -> Iterator[str]:
    """A directory pool with a name that no other test has; afterwards nothing is left of it."""
    name = f"cimi-fault-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    quiet()
    make_pool(name)
    try:
        yield name
    finally:
        remove_domains(name)
        drop_pool(name)


@contextmanager
def small_pool(name: str, mebibytes: int = 8) -> Iterator[Path]:
    """A pool on a file system of its own that is soon full."""
    directory = POOLS / name
    directory.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "tmpfs", str(directory)], check=True)
    make_pool(name)
    try:
        yield directory
    finally:
        remove_domains(name)
        with connection() as host:
            host.storagePoolLookupByName(name).destroy()
            host.storagePoolLookupByName(name).undefine()
        subprocess.run(["umount", str(directory)], check=True)
        directory.rmdir()


def drop_pool(name: str) -> None:
    with connection() as host:
        pool = host.storagePoolLookupByName(name)
        if pool.isActive():
            pool.destroy()
        pool.undefine()
    shutil.rmtree(POOLS / name, ignore_errors=True)


def domains_using(pool: str) -> list[str]:
    """Names of the domains with a disk in this pool's directory."""
    marker = str(POOLS / pool)
    with connection() as host:
        return [domain.name() for domain in host.listAllDomains() if marker in definition(domain)]


def definition(domain: libvirt.virDomain) -> str:
    """Its XML; empty for a domain that another test process removed since it was listed."""
    try:
        return str(domain.XMLDesc(0))
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
            raise
        return ""


def remove_domains(pool: str) -> None:
    """Clear away what a test left: only domains with disks in this test's own pool."""
    flags = (
        libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
        | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    )
    with connection() as host:
        for name in domains_using(pool):
            domain = host.lookupByName(name)
            xml = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(flags)
            forget_addresses(host, xml)
            for log in CONSOLES.glob(f"{domain.UUIDString()}.log*"):
                log.unlink(missing_ok=True)


def forget_addresses(host: libvirt.virConnect, domain: str) -> None:
    """Take the addresses that a domain of this definition had of its own out of the host's networks."""
    for interface in ElementTree.fromstring(domain).iterfind("devices/interface[@type='network']"):
        mac, source = interface.find("mac"), interface.find("source")
        assert mac is not None
        assert source is not None
        try:
            network = host.networkLookupByName(source.get("network", ""))
        except libvirt.libvirtError:
            # Gone before.
            continue
        for entry in ElementTree.fromstring(network.XMLDesc(0)).iterfind("ip/dhcp/host"):
            if entry.get("mac") == mac.get("address") and entry.get("name") is None:
                flags = libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG
                flags |= libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE if network.isActive() else 0
                section, xml = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST, ElementTree.tostring(entry, "unicode")
                network.update(libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, section, -1, xml, flags)


def files_in(pool: str) -> list[str]:
    return sorted(path.name for path in (POOLS / pool).iterdir())


def domain_of(machine: str, host: libvirt.virConnect) -> libvirt.virDomain:
    """The domain of a Machine, found by the UUID at the end of its URL."""
    return host.lookupByUUIDString(machine.rstrip("/").rpartition("/")[2])


def networks_in(pool: str) -> list[str]:
    """Names of libvirt's networks whose range is inside this one."""
    inside, found = ipaddress.ip_network(pool), []
    with connection() as host:
        for network in host.listAllNetworks():
            try:
                address = ElementTree.fromstring(network.XMLDesc(0)).find("ip")
            except libvirt.libvirtError:
                # Another test's network, which is gone by now.
                continue
            if address is not None and ipaddress.ip_address(address.get("address", "")) in inside:
                found.append(network.name())
    return found


def remove_network(name: str) -> None:
    """Clear away a network that a test left, with its packet filter."""
    with connection() as host:
        try:
            network = host.networkLookupByName(name)
            if network.isActive():
                network.destroy()
            if network.isPersistent():
                network.undefine()
            for found in filters_of(name.removeprefix("cimi-"), host):
                found.undefine()
        except libvirt.libvirtError as error:
            if error.get_error_code() not in (libvirt.VIR_ERR_NO_NETWORK, libvirt.VIR_ERR_NO_NWFILTER):
                raise


def filters_of(uuid: str, host: libvirt.virConnect) -> list[libvirt.virNWFilter]:
    """The packet filters of the network of this UUID, those that refer to others first."""
    found = []
    for name in (f"cimi-fixed-{uuid}", f"cimi-network-{uuid}"):
        try:
            found.append(host.nwfilterLookupByName(name))
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_NWFILTER:
                raise
    return found


def traces_of_network(uuid: str) -> list[str]:
    """What libvirt, dnsmasq's files and the kernel still know of the network of this UUID."""
    with connection() as host:
        names = [network.name() for network in host.listAllNetworks()]
        names += host.listNWFilters()
    names += [path.name for path in Path("/var/lib/libvirt/dnsmasq").iterdir()]
    names += [path.name for path in Path("/sys/class/net").iterdir()]
    return [name for name in names if uuid in name or name == f"cimi{uuid.replace('-', '')[:10]}"]
