"""Another volume behind a disk of a domain that is off."""

from __future__ import annotations

import libvirt
from lxml import etree

from drivers.base import DriverConflict, DriverNotFound
from drivers.libvirt.disk_source import DiskSource
from drivers.libvirt.domain_facts import PARSER

WHOLE = libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_INACTIVE


def replace_source(domain: libvirt.virDomain, target: str, source: DiskSource, format: str) -> None:
    """Redefine the domain with this volume behind the disk; everything else of its definition stays.

    Raises DriverConflict when the domain is active: its guest would go on with the other volume.
    """
    if domain.isActive():
        raise DriverConflict("the guest is running")
    root = etree.fromstring(domain.XMLDesc(WHOLE), PARSER)
    disk = next((d for d in root.iterfind("devices/disk") if d.find(f"target[@dev='{target}']") is not None), None)
    if disk is None:
        raise DriverNotFound(f"the domain has no disk {target}")
    for name in ("source", "driver"):
        for element in disk.findall(name):
            disk.remove(element)
    disk.set("type", source.kind)
    disk.insert(0, source.element())
    disk.insert(0, etree.Element("driver", name="qemu", type=format))
    domain.connect().defineXMLFlags(etree.tostring(root, encoding="unicode"), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
