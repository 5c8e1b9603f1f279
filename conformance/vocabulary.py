"""What CIMI 1.x says of the shape of each type: attributes, kinds, order (DSP8009 1.0.2, DSP0263 5.12 to 5.17).

It is written down here by itself, so that no check is measured with the yardstick of the server that it checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
JSON_OF_1_0 = frozenset({"typeUri"})
"""Names that JSON of 1.0 had beside XML's: a provider that serves old clients shows both."""
ACTION = f"{NAMESPACE}/action/"
CAPABILITY = f"{NAMESPACE}/capability/"
COMMON = "id:uri name description created:dateTime updated:dateTime properties=property:map"
ASSOCIATIONS = "System Machine Credential Volume Network NetworkPort Address ForwardingGroup"

SHAPES: dict[str, str] = {
    "CloudEntryPoint": "baseURI:uri resourceMetadata:ref systems:ref systemTemplates:ref machines:ref"
    " machineTemplates:ref"
    " machineConfigs:ref machineImages:ref credentials:ref credentialTemplates:ref volumes:ref volumeTemplates:ref"
    " volumeConfigs:ref volumeImages:ref networks:ref networkTemplates:ref networkConfigs:ref networkPorts:ref"
    " networkPortTemplates:ref networkPortConfigs:ref addresses:ref addressTemplates:ref forwardingGroups:ref"
    " forwardingGroupTemplates:ref jobs:ref meters:ref meterTemplates:ref meterConfigs:ref eventLogs:ref"
    " eventLogTemplates:ref",
    "System": "state systems:ref machines:ref credentials:ref volumes:ref networks:ref networkPorts:ref addresses:ref"
    " forwardingGroups:ref meters:ref eventLog:ref",
    "SystemTemplate": "componentDescriptors=componentDescriptor:ComponentDescriptor"
    " meterTemplates=meterTemplate:MeterTemplate"
    " eventLogTemplate:EventLogTemplate importImage:uri",
    "Machine": "state cpu:integer memory:integer disks:ref cpuArch cpuSpeed:integer volumes:ref networkInterfaces:ref"
    " latestSnapshot:ref snapshots:ref meters:ref eventLog:ref",
    "Disk": "capacity:integer initialLocation",
    "MachineVolume": "initialLocation volume:ref",
    "MachineNetworkInterface": "addresses:ref network:ref networkPort:ref state macAddress mtu:integer",
    "MachineNetworkInterfaceAddress": "address:ref",
    "MachineSnapshot": "snapshot:ref",
    "MachineTemplate": "initialState machineConfig:MachineConfiguration machineImage:MachineImage credential:Credential"
    " volumes=volume:LocatedVolume volumeTemplates=volumeTemplate:LocatedVolumeTemplate"
    " networkInterfaces=networkInterface:InterfaceDescriptor userData meterTemplates=meterTemplate:MeterTemplate"
    " eventLogTemplate:EventLogTemplate",
    "MachineConfiguration": "cpu:integer memory:integer disks=disk:DiskDescriptor cpuArch cpuSpeed:integer",
    "MachineImage": "state type imageLocation:uri relatedImage:ref",
    "Credential": "userName password key",
    "CredentialTemplate": "userName password key",
    "Volume": "state type:uri capacity:integer bootable:boolean images:ref meters:ref eventLog:ref",
    "VolumeVolumeImage": "volumeImage:ref",
    "VolumeTemplate": "volumeConfig:VolumeConfiguration volumeImage:VolumeImage"
    " meterTemplates=meterTemplate:MeterTemplate"
    " eventLogTemplate:EventLogTemplate",
    "VolumeConfiguration": "type:uri format capacity:integer",
    "VolumeImage": "state imageLocation:uri bootable:boolean",
    "Network": "state networkType mtu:integer classOfService networkPorts:ref forwardingGroup:ref meters:ref"
    " eventLog:ref",
    "NetworkNetworkPort": "networkPort:ref",
    "NetworkTemplate": "initialState networkConfig:NetworkConfiguration forwardingGroup:ref"
    " meterTemplates=meterTemplate:MeterTemplate eventLogTemplate:EventLogTemplate",
    "NetworkConfiguration": "networkType mtu:integer classOfService",
    "NetworkPort": "state network:ref portType classOfService meters:ref eventLog:ref",
    "NetworkPortTemplate": "network:ref networkPortConfig:NetworkPortConfiguration"
    " meterTemplates=meterTemplate:MeterTemplate eventLogTemplate:EventLogTemplate",
    "NetworkPortConfiguration": "portType classOfService",
    "Address": "ip hostname allocation defaultGateway dns=dns:string protocol mask network:ref resource:ref",
    "AddressTemplate": "ip hostname allocation defaultGateway dns=dns:string protocol mask network:ref",
    "ForwardingGroup": "networks:ref",
    "ForwardingGroupNetwork": "network:ref",
    "ForwardingGroupTemplate": "networks=network:ref",
    "Job": "state targetResource:ref affectedResources=affectedResource:ref action returnCode:integer progress:integer"
    " statusMessage timeOfStatusChange:dateTime parentJob:ref nestedJobs=nestedJob:ref",
    "Meter": "targetResource:ref aspect:uri units sampleInterval:integer timeScope intervalDuration:duration"
    " isContinuous:boolean samples:ref minValue maxValue stopTime:dateTime expiresTime:dateTime",
    "MeterTemplate": "targetResource:ref meterConfig:MeterConfiguration",
    "MeterConfiguration": "associatedTo=associatedTo:ref aspect:uri units sampleInterval:integer timeScope"
    " intervalDuration:duration isContinuous:boolean",
    "Sample": "sample:SampleValue",
    "EventLog": "targetResource:ref events:ref persistence summary:Summary",
    "EventLogTemplate": "targetResource:ref persistence",
    "Event": "timestamp:dateTime type:uri content:any outcome severity contact",
    **{f"System{kind}": f"{kind[0].lower()}{kind[1:]}:ref" for kind in ASSOCIATIONS.split()},
}
"""Own attributes of each type, in the schema's order. ``name``, ``name:kind``, or ``names=item:kind`` for arrays."""

STRUCTURES: dict[str, str] = {
    "DiskDescriptor": "capacity:integer format initialLocation",
    "InterfaceDescriptor": "addresses=address:ref network:ref networkPort:ref state mtu:integer",
    "Summary": "low:integer medium:integer high:integer critical:integer",
    "SampleValue": "timestamp:dateTime value",
    "ComponentDescriptor": "name description properties=property:map type:uri"
    " machineTemplate:MachineTemplate systemTemplate:SystemTemplate volumeTemplate:VolumeTemplate"
    " networkTemplate:NetworkTemplate networkPortTemplate:NetworkPortTemplate addressTemplate:AddressTemplate"
    " forwardingGroupTemplate:ForwardingGroupTemplate credentialTemplate:CredentialTemplate meterTemplate:MeterTemplate"
    " eventLogTemplate:EventLogTemplate quantity:integer",
    "Action": "action force:boolean image:ref source:uri format destination:uri properties=property:map",
}
XML_ATTRIBUTES = {"LocatedVolume", "LocatedVolumeTemplate", "SampleValue"}
"""Structures whose simple members are XML attributes."""
TEMPLATED = [
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
]
"""Types that are created by a ``<Type>Create`` document with a template in it."""
LATE = {"Credential": ("userName", "password", "key"), "CredentialTemplate": ("userName", "password", "key")}
"""Attributes that the schema puts behind the operations."""
MISSPELT = {"shapshot": "snapshot"}
"""The schema's spelling of MachineSnapshot's one element, and the attribute's right name."""
WITHOUT_COMMON = {"ResourceMetadata"}
ROOTS: dict[str, str] = {
    "resourceMetadata": "ResourceMetadata",
    "machineConfigs": "MachineConfiguration",
    "volumeConfigs": "VolumeConfiguration",
    "networkConfigs": "NetworkConfiguration",
    "networkPortConfigs": "NetworkPortConfiguration",
    "meterConfigs": "MeterConfiguration",
    "addresses": "Address",
}
"""Attributes of the Cloud Entry Point whose item type is not their own name in the singular."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """Attribute of a type; ``item`` is the XML name of an array's items, ``kind`` that of the value or of each item."""

    name: str
    kind: str = "string"
    item: str | None = None

    @property
    def repeated(self) -> bool:
        """Whether it is an array."""
        return self.item is not None and self.kind != "map"


def _attribute(word: str) -> Attribute:
    match = re.fullmatch(r"(\w+)(?:=(\w+))?(?::(\w+))?", word)
    assert match, word
    return Attribute(match[1], match[3] or "string", match[2])


def attributes(text: str) -> tuple[Attribute, ...]:
    """Return the attributes that a text in the manner of SHAPES declares."""
    return tuple(_attribute(word) for word in text.split())


@cache
def shape(kind: str) -> dict[str, Attribute]:
    """Return all attributes of a type, Create document or structure, in their order; none of others."""
    if kind.endswith("Create") and kind.removesuffix("Create") in SHAPES:
        base = kind.removesuffix("Create")
        template = f"{base[0].lower()}{base[1:]}Template"
        words = f"{COMMON} {template}:{base}Template" if base in TEMPLATED else f"{COMMON} {SHAPES[base]}"
    elif kind == "LocatedVolume":
        words = "initialLocation"
    elif kind == "LocatedVolumeTemplate":
        words = f"initialLocation {COMMON} {SHAPES['VolumeTemplate']}"
    elif kind in STRUCTURES:
        words = STRUCTURES[kind]
    elif kind in SHAPES:
        words = f"{COMMON} {SHAPES[kind]}"
    else:
        return {}
    return {attribute.name: attribute for attribute in attributes(words)}


@cache
def by_element(kind: str) -> dict[str, Attribute]:
    """Return all attributes of a type by the local names of their XML elements."""
    elements = {attribute.item or attribute.name: attribute for attribute in shape(kind).values()}
    return elements | {wrong: elements[right] for wrong, right in MISSPELT.items() if right in elements}


def item_type(entry: str) -> str:
    """Return the type of the items of the collection under this attribute of the Cloud Entry Point."""
    return ROOTS.get(entry) or entry[0].upper() + entry[1:].removesuffix("s")


def items_key(kind: str) -> str:
    """Return the JSON name of the items of a collection of this type."""
    name = kind[:1].lower() + kind[1:]
    return name + ("es" if name.endswith("s") else "s")


def type_uri(kind: str) -> str:
    """Return the URI of a type, as resourceURI and type have it."""
    return f"{NAMESPACE}/{kind}"


def type_name(uri: object) -> str:
    """Return ``Machine`` of ``http://schemas.dmtf.org/cimi/1/Machine``; nothing of what is no such URI."""
    return uri.rpartition("/")[2] if isinstance(uri, str) else ""
