"""Domain definitions, built from elements only; user text goes in as text and attribute values alone."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from drivers.base import DiskSpec, DomainSpec, InterfaceSpec, Traffic
from drivers.libvirt.disk_source import DiskSource

METADATA = "http://cimi-gateway.org/ns/libvirt/1"
"""Namespace of our element in a domain's <metadata>; what lacks it is foreign."""

SPARE_PORTS = 8
"""PCIe root ports kept free for hot-plug; they cannot be added to a running guest."""
FIXED_DEVICES = 5
"""Devices that each guest has at ports of their own: SCSI and USB controllers, agent's serial port, rng, balloon."""
MOST_CPUS = 16
X86 = frozenset({"x86_64", "i686"})
KILOBYTE = 1000
MEMORY_TOLD_EVERY = 10
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The host's part in a definition: type, where volumes are, and where the console is logged."""

    domain_type: str
    host_cpus: int
    console_log: str
    sources: dict[tuple[str, str], DiskSource]
    """Places of the volumes, by pool and volume."""


def domain_name(uuid: str) -> str:
    """Return the name in libvirt of the gateway's domain of this UUID."""
    return f"cimi-{uuid}"


def child(parent: etree._Element, name: str, text: str | None = None, /, **attributes: str) -> etree._Element:
    """Return a new last child of the parent, with this text and these attributes, less a ``_`` at a name's end."""
    element = etree.SubElement(parent, name, {key.rstrip("_"): value for key, value in attributes.items()})
    element.text = text
    return element


def one_line(text: str) -> str:
    """Return the text in one line, as libvirt demands of a title; a dash when there is none."""
    return " ".join(text.split()) or "-"


def domain_xml(spec: DomainSpec, placement: Placement) -> str:
    """Return libvirt's definition of the domain on this host."""
    domain = etree.Element("domain", type=placement.domain_type)
    child(domain, "name", domain_name(spec.uuid))
    child(domain, "uuid", spec.uuid)
    child(domain, "title", one_line(spec.title))
    if spec.description:
        child(domain, "description", spec.description)
    metadata = child(domain, "metadata")
    metadata.append(ownership(spec.machine, spec.owner))
    child(domain, "memory", str(spec.memory_kib), unit="KiB")
    child(domain, "currentMemory", str(spec.memory_kib), unit="KiB")
    ceiling = max(spec.cpus, min(MOST_CPUS, max(4, 2 * spec.cpus), max(placement.host_cpus, 1)))
    child(domain, "vcpu", str(ceiling), placement="static", current=str(spec.cpus))
    if spec.cpu_shares is not None:
        child(child(domain, "cputune"), "shares", str(spec.cpu_shares))
    _firmware(domain, spec)
    features = child(domain, "features")
    child(features, "acpi")
    if spec.arch in X86:
        child(features, "apic")
    if placement.domain_type == "kvm":
        child(domain, "cpu", mode="host-model")
    child(domain, "clock", offset="utc")
    for event, action in (("on_poweroff", "destroy"), ("on_reboot", "restart"), ("on_crash", "destroy")):
        child(domain, event, action)
    _devices(domain, spec, placement)
    return etree.tostring(domain, encoding="unicode")


def ownership(machine: str, owner: str) -> etree._Element:
    """Return our element with the CIMI path and the owner, so that the store can be rebuilt from libvirt."""
    element = etree.Element(f"{{{METADATA}}}machine", nsmap={"cimi": METADATA})
    element.set("path", machine)
    element.set("owner", owner)
    return element


def _firmware(domain: etree._Element, spec: DomainSpec) -> None:
    os = child(domain, "os")
    child(os, "type", "hvm", arch=spec.arch, machine="q35" if spec.arch in X86 else "virt")
    if spec.uefi:
        os.set("firmware", "efi")
        # Images are the users' own, and few of them are signed.
        child(child(os, "firmware"), "feature", enabled="no", name="secure-boot")


def _devices(domain: etree._Element, spec: DomainSpec, placement: Placement) -> None:
    devices = child(domain, "devices")
    for disk in spec.disks:
        devices.append(disk_element(disk, placement.sources[(disk.pool, disk.volume)]))
    child(devices, "controller", type="scsi", model="virtio-scsi")
    child(devices, "controller", type="pci", model="pcie-root")
    for _ in range(SPARE_PORTS + FIXED_DEVICES + len(spec.disks) + len(spec.interfaces)):
        child(devices, "controller", type="pci", model="pcie-root-port")
    for interface in spec.interfaces:
        devices.append(interface_element(interface))
    serial = child(devices, "serial", type="pty")
    child(serial, "log", file=placement.console_log, append="on")
    child(serial, "target", port="0")
    channel = child(devices, "channel", type="unix")
    child(channel, "target", type="virtio", name="org.qemu.guest_agent.0")
    rng = child(devices, "rng", model="virtio")
    child(rng, "backend", "/dev/urandom", model="random")
    balloon = child(devices, "memballoon", model="virtio")
    # So the guest itself tells how much memory it uses.
    child(balloon, "stats", period=str(MEMORY_TOLD_EVERY))
    if spec.arch in X86:
        # By this a guest's kernel tells that it panics; on_crash then ends the guest.
        child(devices, "panic", model="isa")


def disk_element(disk: DiskSpec, source: DiskSource) -> etree._Element:
    """Return the ``<disk>`` of a volume that is found at this source."""
    element = etree.Element("disk", type=source.kind, device="cdrom" if disk.cdrom else "disk")
    driver = child(element, "driver", name="qemu", type=disk.format)
    element.append(source.element())
    # A cloud kernel drives virtio-scsi, and often no SATA.
    bus = "scsi" if disk.cdrom else {"vd": "virtio", "sd": "scsi", "hd": "sata"}.get(disk.target[:2], "virtio")
    child(element, "target", dev=disk.target, bus=bus)
    if disk.read_only:
        child(element, "readonly")
    if disk.shareable:
        driver.set("cache", "none")
        child(element, "shareable")
    if disk.operations is not None or disk.bandwidth is not None:
        _bound(child(element, "iotune"), disk)
    if disk.serial is not None:
        child(element, "serial", disk.serial)
    if disk.boot_order is not None:
        child(element, "boot", order=str(disk.boot_order))
    return element


def _bound(iotune: etree._Element, disk: DiskSpec) -> None:
    """Say how much is read and written of a disk in a second at most."""
    if disk.bandwidth is not None:
        child(iotune, "total_bytes_sec", str(disk.bandwidth * KILOBYTE))
    if disk.operations is not None:
        child(iotune, "total_iops_sec", str(disk.operations))


def interface_element(interface: InterfaceSpec) -> etree._Element:
    """Return the ``<interface>`` on a network of libvirt's, with its packet filter."""
    element = etree.Element("interface", type="network")
    child(element, "mac", address=interface.mac)
    child(element, "source", network=interface.network)
    child(element, "model", type="virtio")
    if interface.mtu is not None:
        child(element, "mtu", size=str(interface.mtu))
    if interface.traffic is not None:
        element.append(bandwidth_element(interface.traffic))
    filtered = filter_reference(interface)
    if filtered is not None:
        element.append(filtered)
    child(element, "link", state="up" if interface.link_up else "down")
    return element


def filter_reference(interface: InterfaceSpec) -> etree._Element | None:
    """Return the packet filter's ``<filterref>`` with its parameters; None for an interface without one."""
    if interface.filter is None:
        return None
    filtered = etree.Element("filterref", filter=interface.filter)
    if interface.source is not None:
        _range_parameter(filtered, "SOURCE", interface.source)
    for address in interface.sources6:
        child(filtered, "parameter", name="SOURCE6", value=address)
    for fenced in interface.fenced:
        _range_parameter(filtered, "FENCED6" if ":" in fenced else "FENCED", fenced)
    return filtered


def _range_parameter(filtered: etree._Element, name: str, range: str) -> None:
    """Add a filter's variable; the same name again makes a list, which libvirt walks together with the masks."""
    address, _, prefix = range.partition("/")
    child(filtered, "parameter", name=name, value=address)
    child(filtered, "parameter", name=f"{name}MASK", value=prefix)


def bandwidth_element(traffic: Traffic) -> etree._Element:
    """Return the ``<bandwidth>`` that networks and interfaces have."""
    element = etree.Element("bandwidth")
    for name, limit in (("inbound", traffic.inbound), ("outbound", traffic.outbound)):
        if limit is not None:
            values = {"average": limit.average, "peak": limit.peak, "burst": limit.burst}
            child(element, name, **{key: str(value) for key, value in values.items() if value is not None})
    return element
