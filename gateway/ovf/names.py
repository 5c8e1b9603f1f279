"""Namespaces and words of the standard, each in this one place (DSP0243 clause 2 and annexes)."""

from __future__ import annotations

from enum import IntEnum

ENVELOPES = {
    "http://schemas.dmtf.org/ovf/envelope/1": 1,
    "http://schemas.dmtf.org/ovf/envelope/2": 2,
}
"""Namespace of an envelope to the major version of the standard."""

ENVELOPE = "http://schemas.dmtf.org/ovf/envelope/1"
"""Namespace that is written: version 1 is read everywhere."""

CIM = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"
RASD = f"{CIM}CIM_ResourceAllocationSettingData"
VSSD = f"{CIM}CIM_VirtualSystemSettingData"
SASD = f"{CIM}CIM_StorageAllocationSettingData"
EPASD = f"{CIM}CIM_EthernetPortAllocationSettingData"
SETTINGS = frozenset(f"{namespace}{suffix}" for namespace in (RASD, VSSD, SASD, EPASD) for suffix in ("", ".xsd"))
"""Namespaces of hardware; several products spell those of OVF 2.0 as the names of the schema's files."""

ENVIRONMENT = "http://schemas.dmtf.org/ovf/environment/1"
EXTENSION = "http://cimi-gateway.org/ns/1"
"""Namespace of what is added to the standard; others pass over it (clause 7.3)."""
TEMPLATE_SECTION = "TemplateSection"
"""A section of our own: what the standard has no words for, as the XML of a CIMI template."""
COLLECTION_SECTION = "CollectionSection"
"""A section of our own in the only virtual system of a package: the collection around it, which few programs read."""
ENVIRONMENT_FILE = "ovf-env.xml"
XML = "http://www.w3.org/XML/1998/namespace"

STREAM_OPTIMIZED = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"

FORMATS = (
    ("vmdk", "vmdk"),
    ("qcow", "qcow2"),
    ("vhdx", "vhdx"),
    ("vhd", "vpc"),
    ("vdi", "vdi"),
    ("ecma-119", "raw"),
    ("raw", "raw"),
)
"""What the URI of a disk's format contains, and the format as QEMU calls it: every product spells its own URI."""


def disk_format(uri: str) -> str | None:
    """Return the format that a Disk's ``ovf:format`` means, as QEMU calls it; None when that is not known."""
    lowered = uri.lower()
    return next((name for part, name in FORMATS if part in lowered), None)


class Device(IntEnum):
    """A value of ``rasd:ResourceType`` (CIM_ResourceAllocationSettingData), as far as anything follows from it."""

    OTHER = 1
    PROCESSOR = 3
    MEMORY = 4
    IDE_CONTROLLER = 5
    SCSI_CONTROLLER = 6
    FC_CONTROLLER = 7
    ISCSI_CONTROLLER = 8
    ETHERNET = 10
    FLOPPY = 14
    CD = 15
    DVD = 16
    DISK = 17
    STORAGE_CONTROLLER = 20
    SERIAL = 21
    PARALLEL = 22
    USB_CONTROLLER = 23
    GRAPHICS = 24
    STORAGE_EXTENT = 19
    LOGICAL_DISK = 31
    STORAGE_VOLUME = 32
    SOUND = 35


CONTROLLERS = frozenset({Device.IDE_CONTROLLER, Device.SCSI_CONTROLLER, Device.STORAGE_CONTROLLER})
DISKS = frozenset({Device.DISK, Device.STORAGE_EXTENT, Device.LOGICAL_DISK, Device.STORAGE_VOLUME})
DRIVES = frozenset({Device.CD, Device.DVD})
NEEDLESS = frozenset(
    {
        Device.FLOPPY,
        Device.SERIAL,
        Device.PARALLEL,
        Device.USB_CONTROLLER,
        Device.GRAPHICS,
        Device.SOUND,
    }
)
"""Devices that a Machine has anyway, or does without."""
