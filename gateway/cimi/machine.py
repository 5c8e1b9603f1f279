"""Machine and what it is made of and from (DSP0263 5.14)."""

from __future__ import annotations

from typing import ClassVar

from marshmallow import Schema

from gateway.cimi.coded import Base64
from gateway.cimi.credential import CredentialSchema
from gateway.cimi.fields import Attribute, Boolean, Enumeration, Integer, Location, String
from gateway.cimi.image import IMAGE_ACTIONS, IMAGE_STATES, file_size, file_sum
from gateway.cimi.monitoring import EventLogTemplateSchema, MeterTemplateSchema
from gateway.cimi.network import NETWORK_TYPES, AddressTemplateSchema
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue, Structure
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType
from gateway.cimi.volume import VolumeTemplateSchema

MACHINE_STATES = (
    "CREATING",
    "STARTING",
    "STARTED",
    "STOPPING",
    "STOPPED",
    "PAUSING",
    "PAUSED",
    "SUSPENDING",
    "SUSPENDED",
    "CAPTURING",
    "RESTORING",
    "DELETING",
    "ERROR",
)
INITIAL_STATES = ("STARTED", "STOPPED", "PAUSED", "SUSPENDED")
INTERFACE_STATES = ("Active", "Passive", "Disabled")


def starts_with_host() -> Boolean:
    """Return the attribute that says whether a Machine starts with its host."""
    return Boolean(extension=True, meaning="the Machine is started each time that its host has booted")


def start_order() -> Integer:
    """Return the attribute that says when a Machine starts among those that start with the host."""
    return Integer(minimum=0, extension=True, meaning="with autostart: lower ones start first, those without one last")


class MachineSchema(Common):
    """The attributes of a Machine."""

    state = Enumeration(*MACHINE_STATES, writable=False)
    cpu = Integer(minimum=1, meaning="number of virtual CPUs")
    memory = Integer(minimum=1, meaning="RAM in kibibytes")
    disks = CollectionRef("Disk")
    cpuArch = String(writable=False)  # noqa: N815 - the standard's name
    cpuSpeed = Integer(writable=False, meaning="approximate MHz")  # noqa: N815
    volumes = CollectionRef("MachineVolume")
    networkInterfaces = CollectionRef("MachineNetworkInterface")  # noqa: N815
    latestSnapshot = Ref("MachineImage", writable=False)  # noqa: N815
    snapshots = CollectionRef("MachineSnapshot")
    meters = CollectionRef("Meter")
    eventLog = Ref("EventLog", writable=False)  # noqa: N815
    autostart = starts_with_host()
    autostartOrder = start_order()  # noqa: N815


class DiskSchema(Schema):
    """The attributes of a Disk of a Machine."""

    name = String(writable=False)
    capacity = Integer(minimum=1, meaning="kilobytes; may be raised")
    initialLocation = String(  # noqa: N815
        writable=False, at_create=True, meaning="device where the disk first shows up"
    )


class MachineVolumeSchema(Common):
    """The attributes of the connection of a Volume with a Machine."""

    initialLocation = String(writable=False, at_create=True)  # noqa: N815
    volume = Ref("Volume", writable=False, at_create=True, mandatory=True)


class MachineNetworkInterfaceSchema(Common):
    """The attributes of a network interface of a Machine."""

    addresses: Attribute = CollectionRef("MachineNetworkInterfaceAddress")
    network = Ref("Network", writable=False, at_create=True)
    networkPort = Ref("NetworkPort", writable=False, at_create=True)  # noqa: N815
    state = Enumeration(*INTERFACE_STATES)
    macAddress = String(writable=False, at_create=True)  # noqa: N815
    mtu = Integer(minimum=68, writable=False, at_create=True, meaning="bytes")
    networkType = Enumeration(  # noqa: N815
        *NETWORK_TYPES, writable=False, extension=True, meaning="of its Network: whether that leads out of the host"
    )


class MachineNetworkInterfaceCreateSchema(MachineNetworkInterfaceSchema):
    """The attributes of a new network interface.

    Its addresses, which are shown as a collection, are given in place, as in a MachineTemplate.
    """

    addresses: Attribute = Array(RefOrValue("Address", AddressTemplateSchema), item="address")


class MachineNetworkInterfaceAddressSchema(Common):
    """The attributes of the connection of an Address with an interface."""

    address = Ref("Address", writable=False, at_create=True)


class MachineSnapshotSchema(Common):
    """The attributes of an entry in a Machine's snapshots."""

    # The official schema spells the element so in every edition; JSON clients read the attribute's right name.
    snapshot = Ref("MachineImage", writable=False, item="shapshot")


class ConfigurationDiskSchema(Schema):
    """A disk of a MachineConfiguration."""

    capacity = Integer(minimum=1, meaning="kilobytes")
    format = String(meaning="file system that the guest shall see; advice")
    initialLocation = String()  # noqa: N815


class MachineConfigurationSchema(Common):
    """The attributes of a MachineConfiguration."""

    cpu = Integer(minimum=1)
    memory = Integer(minimum=1, meaning="kibibytes")
    disks = Array(Structure(ConfigurationDiskSchema), item="disk")
    cpuArch = String()  # noqa: N815
    cpuSpeed = Integer(meaning="MHz")  # noqa: N815
    cpuShares = Integer(  # noqa: N815
        minimum=2, extension=True, meaning="weight among the host's guests when CPUs are scarce, at most 10000"
    )
    diskOperations = Integer(minimum=1, extension=True, meaning="per second of each disk at most")  # noqa: N815
    diskBandwidth = Integer(minimum=1, extension=True, meaning="kilobytes per second of each disk at most")  # noqa: N815
    networkBandwidth = Integer(  # noqa: N815
        minimum=1, extension=True, meaning="kilobytes per second of each interface at most, each way"
    )


class MachineImageSchema(Common):
    """The attributes of a MachineImage."""

    state = Enumeration(*IMAGE_STATES, writable=False)
    type = Enumeration("IMAGE", "SNAPSHOT", "PARTIAL_SNAPSHOT", writable=False, at_create=True)
    imageLocation = Location(writable=False, at_create=True)  # noqa: N815
    relatedImage = Ref("MachineImage", writable=False, at_create=True)  # noqa: N815
    size = file_size()
    sha256 = file_sum()


class TemplateVolumeSchema(Schema):
    """The attributes of an existing Volume in a MachineTemplate, beside the reference to it."""

    initialLocation = String(xml_attribute=True)  # noqa: N815


class TemplateVolumeTemplateSchema(VolumeTemplateSchema):
    """The attributes of a VolumeTemplate in a MachineTemplate: its own, and the device of the new Volume."""

    initialLocation = String(xml_attribute=True)  # noqa: N815


class TemplateInterfaceSchema(Schema):
    """A network interface of a MachineTemplate."""

    # What drafts of the standard had here, and old clients still send.
    tolerated: ClassVar = frozenset(
        {"vsp", "hostname", "protocol", "allocation", "defaultGateway", "dns", "maxTransmissionUnit", "networkType"}
    )

    addresses = Array(RefOrValue("Address", AddressTemplateSchema), item="address", aliases=("address",))
    network = Ref("Network")
    networkPort = Ref("NetworkPort")  # noqa: N815
    state = Enumeration(*INTERFACE_STATES)
    # Old clients send it; the official schema has no such element here, so it is never shown.
    macAddress = String(write_only=True)  # noqa: N815
    mtu = Integer(minimum=68)


class MachineTemplateSchema(Common):
    """The attributes of a MachineTemplate."""

    initialState = Enumeration(*INITIAL_STATES)  # noqa: N815
    machineConfig = RefOrValue("MachineConfiguration", MachineConfigurationSchema)  # noqa: N815
    machineImage = RefOrValue("MachineImage", MachineImageSchema)  # noqa: N815
    credential = RefOrValue("Credential", CredentialSchema)
    volumes = Array(RefOrValue("Volume", TemplateVolumeSchema), item="volume")
    volumeTemplates = Array(  # noqa: N815
        RefOrValue("VolumeTemplate", TemplateVolumeTemplateSchema), item="volumeTemplate"
    )
    networkInterfaces = Array(Structure(TemplateInterfaceSchema), item="networkInterface")  # noqa: N815
    userData = Base64(write_only=True)  # noqa: N815
    meterTemplates = Array(RefOrValue("MeterTemplate", MeterTemplateSchema), item="meterTemplate")  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815
    autostart = starts_with_host()
    autostartOrder = start_order()  # noqa: N815


class MachineCreateSchema(Common):
    """The attributes of a MachineCreate."""

    machineTemplate = RefOrValue("MachineTemplate", MachineTemplateSchema, mandatory=True)  # noqa: N815


MACHINE_ACTIONS = (
    Action("start", "power on, or go on from PAUSED or SUSPENDED"),
    Action("stop", "power off; orderly unless force is true", ("force",)),
    Action("restart", "stop, then start", ("force",)),
    Action("pause", "hold the CPUs and keep the state in memory"),
    Action("suspend", "keep the state on disk and power off"),
    Action("capture", "make a MachineImage of the boot disk", creates="MachineImage"),
    Action("snapshot", "keep disks and memory as they are now, as a MachineImage", creates="MachineImage"),
    Action("restore", "go back to a MachineImage", ("image",)),
    Action(
        "console",
        "the text which the guest wrote to its serial console",
        ("limit",),
        gives="text/plain",
        also=("GET",),
    ),
)

TYPES = (
    ResourceType(
        "Machine",
        MachineSchema,
        "machines",
        template="machineTemplate",
        actions=MACHINE_ACTIONS,
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("DefaultInitialState", "State of a new Machine", "STARTED"),
            Capability("InitialStates", "States a new Machine may be asked for", ",".join(INITIAL_STATES)),
            Capability("MachineConfigByValue", "A template may hold its configuration by value"),
            Capability("MachineCredentialByValue", "A template may hold its credential by value"),
            Capability("MachineImageByValue", "A template may hold its image by value", False),
            Capability("MachineVolumeTemplatesByValue", "A template may hold volume templates by value"),
            Capability("MachineTemplateByValue", "A MachineCreate may hold its template by value"),
            Capability("MachineStopForce", "stop and restart take force"),
            Capability("MachineStopForceDefault", "stop is forced unless said otherwise", False),
            Capability("RestoreFromImage", "restore works from images that are no snapshots"),
            Capability("UserData", "How userData reaches the guest", "disk"),
        ),
    ),
    ResourceType("Disk", DiskSchema, "disks", parent="Machine", addable=True, editable=True, deletable=True),
    ResourceType(
        "MachineVolume",
        MachineVolumeSchema,
        "volumes",
        parent="Machine",
        addable=True,
        editable=True,
        deletable=True,
        repeatable=True,
    ),
    ResourceType(
        "MachineNetworkInterface",
        MachineNetworkInterfaceSchema,
        "networkInterfaces",
        parent="Machine",
        addable=True,
        editable=True,
        deletable=True,
    ),
    ResourceType(
        "MachineNetworkInterfaceAddress",
        MachineNetworkInterfaceAddressSchema,
        "addresses",
        parent="MachineNetworkInterface",
        addable=True,
        deletable=True,
    ),
    ResourceType("MachineSnapshot", MachineSnapshotSchema, "snapshots", parent="Machine"),
    ResourceType(
        "MachineTemplate",
        MachineTemplateSchema,
        "machineTemplates",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"machineConfig", "machineImage"}),
    ),
    ResourceType(
        "MachineConfiguration",
        MachineConfigurationSchema,
        "machineConfigs",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"cpu", "memory"}),
    ),
    ResourceType(
        "MachineImage",
        MachineImageSchema,
        "machineImages",
        actions=IMAGE_ACTIONS,
        addable=True,
        editable=True,
        deletable=True,
    ),
)

CREATE_SCHEMAS = {"Machine": MachineCreateSchema, "MachineNetworkInterface": MachineNetworkInterfaceCreateSchema}
