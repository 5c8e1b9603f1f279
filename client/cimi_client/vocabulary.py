"""The words of CIMI 1.x that XML needs and JSON does not: which elements repeat, their order, and their types.

The order of elements is that of the official schema (DSP8009 1.0.2).
"""

from __future__ import annotations

from collections.abc import Mapping

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
EXTENSION_NAMESPACE = "http://cimi-gateway.org/ns/1"
"""Namespace of attributes that the standard does not have; clients send them last."""

INTEGERS = frozenset(
    {"count", "cpu", "cpuSpeed", "memory", "capacity", "mtu", "size", "quantity", "limit"}
    | {"progress", "returnCode", "sampleInterval", "low", "medium", "high", "critical"}
)
BOOLEANS = frozenset({"bootable", "isContinuous", "force", "required", "available"})
HEXADECIMAL = frozenset({("Credential", "key"), ("CredentialTemplate", "key")})
"""Attributes that are text in JSON and hexBinary in XML, each with its type."""

COMMON = ("id", "name", "description", "created", "updated", "properties")
TEMPLATE_END = ("meterTemplates", "eventLogTemplate")
CREATED_BY_TEMPLATE = (
    "System",
    "Machine",
    "Volume",
    "Credential",
    "Network",
    "NetworkPort",
    "Address",
    "ForwardingGroup",
    "Meter",
    "EventLog",
)
"""Types for which a ``<Type>Create`` with a template is sent; of others their own representation."""

REPEATED: Mapping[str, Mapping[str, str]] = {
    "Job": {"affectedResource": "affectedResources", "nestedJob": "nestedJobs"},
    "MachineConfiguration": {"disk": "disks"},
    "MachineTemplate": {
        "volume": "volumes",
        "volumeTemplate": "volumeTemplates",
        "networkInterface": "networkInterfaces",
        "meterTemplate": "meterTemplates",
    },
    "NetworkInterface": {"address": "addresses"},
    "VolumeTemplate": {"meterTemplate": "meterTemplates"},
    "NetworkTemplate": {"meterTemplate": "meterTemplates"},
    "NetworkPortTemplate": {"meterTemplate": "meterTemplates"},
    "SystemTemplate": {"meterTemplate": "meterTemplates", "componentDescriptor": "componentDescriptors"},
    "Address": {"dns": "dns"},
    "AddressTemplate": {"dns": "dns"},
    "ForwardingGroupTemplate": {"network": "networks"},
    "MeterConfiguration": {"associatedTo": "associatedTo"},
    "ResourceMetadata": {"attribute": "attributes", "capability": "capabilities", "action": "actions"},
    "MachineNetworkInterfaceCreate": {"address": "addresses"},
}
"""Type to its repeated elements, each with the JSON array that it is an entry of."""

RENAMED: Mapping[str, Mapping[str, str]] = {"MachineSnapshot": {"shapshot": "snapshot"}}
"""Elements whose name in the schema is a misprint."""

TYPE_OF_ELEMENT: Mapping[str, str] = {
    "machineConfig": "MachineConfiguration",
    "volumeConfig": "VolumeConfiguration",
    "networkConfig": "NetworkConfiguration",
    "networkPortConfig": "NetworkPortConfiguration",
    "meterConfig": "MeterConfiguration",
    "targetResource": "Resource",
}
"""Elements that hold a type of another name than their own."""

ORDER: Mapping[str, tuple[str, ...]] = {
    "Action": ("action", "force", "image", "source", "format", "destination", "properties"),
    "Machine": ("state", "cpu", "memory", "disks", "cpuArch", "cpuSpeed"),
    "Disk": ("capacity", "format", "initialLocation"),
    "MachineVolume": ("initialLocation", "volume"),
    "MachineNetworkInterface": ("addresses", "network", "networkPort", "state", "macAddress", "mtu"),
    "MachineTemplate": (
        "initialState",
        "machineConfig",
        "machineImage",
        "credential",
        "volumes",
        "volumeTemplates",
        "networkInterfaces",
        "userData",
        *TEMPLATE_END,
    ),
    "NetworkInterface": ("addresses", "network", "networkPort", "state", "mtu"),
    "MachineConfiguration": ("cpu", "memory", "disks", "cpuArch", "cpuSpeed"),
    "MachineImage": ("state", "type", "imageLocation", "relatedImage"),
    "Credential": ("userName", "password", "key"),
    "CredentialTemplate": ("userName", "password", "key"),
    "Volume": ("state", "type", "capacity", "bootable"),
    "VolumeTemplate": ("volumeConfig", "volumeImage", *TEMPLATE_END),
    "VolumeConfiguration": ("type", "format", "capacity"),
    "VolumeImage": ("state", "imageLocation", "bootable"),
    "Network": ("state", "networkType", "mtu", "classOfService"),
    "NetworkTemplate": ("initialState", "networkConfig", "forwardingGroup", *TEMPLATE_END),
    "NetworkConfiguration": ("networkType", "mtu", "classOfService"),
    "NetworkPortTemplate": ("network", "networkPortConfig", *TEMPLATE_END),
    "NetworkPortConfiguration": ("portType", "classOfService"),
    "Address": ("ip", "hostname", "allocation", "defaultGateway", "dns", "protocol", "mask", "network", "resource"),
    "AddressTemplate": ("ip", "hostname", "allocation", "defaultGateway", "dns", "protocol", "mask", "network"),
    "ForwardingGroupTemplate": ("networks",),
    "Job": ("state",),
    "Meter": ("sampleInterval", "minValue", "maxValue", "stopTime", "expiresTime"),
    "MeterTemplate": ("targetResource", "meterConfig"),
    "MeterConfiguration": (
        "associatedTo",
        "aspect",
        "units",
        "sampleInterval",
        "timeScope",
        "intervalDuration",
        "isContinuous",
    ),
    "EventLog": ("targetResource", "events", "persistence"),
    "EventLogTemplate": ("targetResource", "persistence"),
    "SystemTemplate": ("componentDescriptors", *TEMPLATE_END, "importImage"),
}
"""Type to its own attributes that clients send, in the schema's order; the common ones stand before them."""

ROOT_KINDS: Mapping[str, str] = {
    "machineConfigs": "MachineConfiguration",
    "volumeConfigs": "VolumeConfiguration",
    "networkConfigs": "NetworkConfiguration",
    "networkPortConfigs": "NetworkPortConfiguration",
    "meterConfigs": "MeterConfiguration",
    "resourceMetadata": "ResourceMetadata",
    "addresses": "Address",
}
"""Attributes of the Cloud Entry Point whose items' type does not follow from their name."""


def kind_of(uri: str) -> str:
    """Return the last word of a URI: of a type its name, of an action its verb, of an aspect the aspect."""
    return uri.strip().rstrip("/").rpartition("/")[2]


def verb_of(rel: str) -> str:
    """Return the verb of an operation's ``rel``; providers differ in the URI before it, and in capitals."""
    return kind_of(rel).lower()


def plural(word: str) -> str:
    """Return the name of an array of these."""
    return word + ("es" if word.endswith("s") else "s")


def items_key(kind: str) -> str:
    """Return the JSON name of a collection's items of a type."""
    return plural(kind[:1].lower() + kind[1:])


def type_of_element(name: str) -> str:
    """Return the type whose attributes stand in an element of this name."""
    return TYPE_OF_ELEMENT.get(name, name[:1].upper() + name[1:])
