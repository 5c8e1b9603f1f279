"""System: resources handled as one, and the templates that describe them (DSP0263 5.13)."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi.credential import CredentialTemplateSchema
from gateway.cimi.fields import URI, Enumeration, Integer, Map, String, Term
from gateway.cimi.machine import MachineTemplateSchema
from gateway.cimi.monitoring import EventLogTemplateSchema, MeterTemplateSchema
from gateway.cimi.network import (
    AddressTemplateSchema,
    ForwardingGroupTemplateSchema,
    NetworkPortTemplateSchema,
    NetworkTemplateSchema,
)
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue, Structure
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType
from gateway.cimi.volume import VolumeTemplateSchema

SYSTEM_STATES = (
    "CREATING",
    "STARTING",
    "STARTED",
    "STOPPING",
    "STOPPED",
    "PAUSING",
    "PAUSED",
    "SUSPENDING",
    "SUSPENDED",
    "MIXED",
    "DELETING",
    "ERROR",
)


class SystemSchema(Common):
    """The attributes of a System."""

    state = Enumeration(*SYSTEM_STATES, writable=False, meaning="what its Machines are together")
    systems = CollectionRef("SystemSystem")
    machines = CollectionRef("SystemMachine")
    credentials = CollectionRef("SystemCredential")
    volumes = CollectionRef("SystemVolume")
    networks = CollectionRef("SystemNetwork")
    networkPorts = CollectionRef("SystemNetworkPort")  # noqa: N815 - the standard's name
    addresses = CollectionRef("SystemAddress")
    forwardingGroups = CollectionRef("SystemForwardingGroup")  # noqa: N815
    meters = CollectionRef("Meter")
    eventLog = Ref("EventLog", writable=False)  # noqa: N815


class SystemSystemSchema(Common):
    """The attributes of the membership of a System in another."""

    system = Ref("System", writable=False, at_create=True, mandatory=True)


class SystemMachineSchema(Common):
    """The attributes of the membership of a Machine in a System."""

    machine = Ref("Machine", writable=False, at_create=True, mandatory=True)


class SystemCredentialSchema(Common):
    """The attributes of the membership of a Credential in a System."""

    credential = Ref("Credential", writable=False, at_create=True, mandatory=True)


class SystemVolumeSchema(Common):
    """The attributes of the membership of a Volume in a System."""

    volume = Ref("Volume", writable=False, at_create=True, mandatory=True)


class SystemNetworkSchema(Common):
    """The attributes of the membership of a Network in a System."""

    network = Ref("Network", writable=False, at_create=True, mandatory=True)


class SystemNetworkPortSchema(Common):
    """The attributes of the membership of a NetworkPort in a System."""

    networkPort = Ref("NetworkPort", writable=False, at_create=True, mandatory=True)  # noqa: N815


class SystemAddressSchema(Common):
    """The attributes of the membership of an Address in a System."""

    address = Ref("Address", writable=False, at_create=True, mandatory=True)


class SystemForwardingGroupSchema(Common):
    """The attributes of the membership of a ForwardingGroup in a System."""

    forwardingGroup = Ref(  # noqa: N815
        "ForwardingGroup", writable=False, at_create=True, mandatory=True
    )


def _system_template() -> type[Schema]:
    return SystemTemplateSchema


class ComponentDescriptorSchema(Schema):
    """A component of a SystemTemplate.

    ``name``, ``description`` and ``properties`` are the component's. A component has one of the templates, as its type
    says.
    """

    name = String(meaning="of the component; numbered when there are several")
    description = String()
    properties = Map()
    type = Term(meaning="the component's type")
    addressTemplate = RefOrValue("AddressTemplate", AddressTemplateSchema)  # noqa: N815
    credentialTemplate = RefOrValue("CredentialTemplate", CredentialTemplateSchema)  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815
    forwardingGroupTemplate = RefOrValue(  # noqa: N815
        "ForwardingGroupTemplate", ForwardingGroupTemplateSchema
    )
    machineTemplate = RefOrValue("MachineTemplate", MachineTemplateSchema)  # noqa: N815
    meterTemplate = RefOrValue("MeterTemplate", MeterTemplateSchema)  # noqa: N815
    networkPortTemplate = RefOrValue("NetworkPortTemplate", NetworkPortTemplateSchema)  # noqa: N815
    networkTemplate = RefOrValue("NetworkTemplate", NetworkTemplateSchema)  # noqa: N815
    systemTemplate = RefOrValue("SystemTemplate", _system_template)  # noqa: N815
    volumeTemplate = RefOrValue("VolumeTemplate", VolumeTemplateSchema)  # noqa: N815
    quantity = Integer(minimum=1, meaning="how many of them are made")


class SystemTemplateSchema(Common):
    """The attributes of a SystemTemplate."""

    componentDescriptors = Array(Structure(ComponentDescriptorSchema), item="componentDescriptor")  # noqa: N815
    meterTemplates = Array(RefOrValue("MeterTemplate", MeterTemplateSchema), item="meterTemplate")  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815
    importImage = URI(writable=False, meaning="the package that the template was imported from")  # noqa: N815


class SystemCreateSchema(Common):
    """The attributes of a SystemCreate."""

    systemTemplate = RefOrValue("SystemTemplate", SystemTemplateSchema, mandatory=True)  # noqa: N815


PACKAGE = "application/ovf"
"""Media type of a package (DSP0263 4.3); as one stream that is an archive."""
EXPORT = Action(
    "export",
    "write it with all that it needs into an OVF package",
    ("format", "destination"),
    located=True,
    once=True,
)
IMPORT = Action(
    "import",
    "make one of an OVF package",
    ("source",),
    sent=(PACKAGE, "application/x-tar", "application/x-virtualbox-ova", "application/octet-stream"),
    once=True,
)
SYSTEM_ACTIONS = (
    Action("start", "start all its Machines"),
    Action("stop", "stop all its Machines; orderly unless force is true", ("force",)),
    Action("restart", "stop and start all its Machines", ("force",)),
    Action("pause", "pause all its Machines"),
    Action("suspend", "suspend all its Machines"),
    EXPORT,
)
MEMBER_SCHEMAS: dict[str, type[Schema]] = {
    "System": SystemSystemSchema,
    "Machine": SystemMachineSchema,
    "Credential": SystemCredentialSchema,
    "Volume": SystemVolumeSchema,
    "Network": SystemNetworkSchema,
    "NetworkPort": SystemNetworkPortSchema,
    "Address": SystemAddressSchema,
    "ForwardingGroup": SystemForwardingGroupSchema,
}
"""Kind of what may be in a System, to the resource that says that it is."""


def _members() -> tuple[ResourceType, ...]:
    """Return the types of memberships.

    Memberships stand in the collections of a System, each under the attribute that lists its kind.
    """
    listed = {
        field.kind: name for name, field in SystemSchema._declared_fields.items() if isinstance(field, CollectionRef)
    }
    return tuple(
        ResourceType(
            f"System{kind}",
            schema,
            listed[f"System{kind}"],
            parent="System",
            addable=True,
            editable=True,
            deletable=True,
        )
        for kind, schema in MEMBER_SCHEMAS.items()
    )


TYPES = (
    ResourceType(
        "System",
        SystemSchema,
        "systems",
        template="systemTemplate",
        actions=SYSTEM_ACTIONS,
        collection_actions=(IMPORT,),
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("SystemComponentTemplateByValue", "A SystemTemplate may hold component templates by value"),
        ),
    ),
    *_members(),
    ResourceType(
        "SystemTemplate",
        SystemTemplateSchema,
        "systemTemplates",
        actions=(EXPORT,),
        collection_actions=(IMPORT,),
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"componentDescriptors"}),
    ),
)
CREATE_SCHEMAS = {"System": SystemCreateSchema}
