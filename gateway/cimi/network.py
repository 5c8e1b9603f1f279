"""Networks, their ports, addresses, and what routes between them (DSP0263 5.17 to 5.19)."""

from __future__ import annotations

from gateway.cimi.fields import Enumeration, Integer, String
from gateway.cimi.monitoring import EventLogTemplateSchema, MeterTemplateSchema
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType

NETWORK_STATES = ("CREATING", "STARTING", "STARTED", "STOPPING", "STOPPED", "DELETING", "ERROR")
"""The states of Networks and of NetworkPorts."""
INITIAL_NETWORK_STATES = ("STARTED", "STOPPED")
NETWORK_TYPES = ("PUBLIC", "PRIVATE")
PORT_TYPES = ("ACCESS", "TRUNK")
LEAST_MTU = 68


class NetworkSchema(Common):
    """The attributes of a Network."""

    state = Enumeration(*NETWORK_STATES, writable=False)
    networkType = Enumeration(  # noqa: N815 - the standard's name
        *NETWORK_TYPES, writable=False, meaning="whether it leads out of the host"
    )
    mtu = Integer(minimum=LEAST_MTU, meaning="bytes")
    classOfService = String(meaning="a bandwidth class of the configuration")  # noqa: N815
    networkPorts = CollectionRef("NetworkNetworkPort")  # noqa: N815
    forwardingGroup = Ref("ForwardingGroup", writable=False)  # noqa: N815
    meters = CollectionRef("Meter")
    eventLog = Ref("EventLog", writable=False)  # noqa: N815
    cidr = String(writable=False, extension=True, meaning="its IPv4 range")
    cidr6 = String(writable=False, extension=True, meaning="its IPv6 range")


class NetworkConfigurationSchema(Common):
    """The attributes of a NetworkConfiguration."""

    networkType = Enumeration(*NETWORK_TYPES)  # noqa: N815
    mtu = Integer(minimum=LEAST_MTU, meaning="bytes")
    classOfService = String()  # noqa: N815
    cidr = String(extension=True, meaning="the IPv4 range wished for, inside a pool of the configuration")
    cidr6 = String(extension=True, meaning="the IPv6 range wished for, inside a pool of the configuration")


class NetworkTemplateSchema(Common):
    """The attributes of a NetworkTemplate."""

    initialState = Enumeration(*INITIAL_NETWORK_STATES)  # noqa: N815
    networkConfig = RefOrValue("NetworkConfiguration", NetworkConfigurationSchema)  # noqa: N815
    forwardingGroup = Ref("ForwardingGroup")  # noqa: N815
    meterTemplates = Array(RefOrValue("MeterTemplate", MeterTemplateSchema), item="meterTemplate")  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815


class NetworkCreateSchema(Common):
    """The attributes of a NetworkCreate."""

    networkTemplate = RefOrValue("NetworkTemplate", NetworkTemplateSchema, mandatory=True)  # noqa: N815


class NetworkNetworkPortSchema(Common):
    """The attributes of an entry in a Network's ports."""

    networkPort = Ref("NetworkPort", writable=False)  # noqa: N815


class NetworkPortSchema(Common):
    """The attributes of a NetworkPort."""

    state = Enumeration(*NETWORK_STATES, writable=False)
    network = Ref("Network", writable=False)
    portType = Enumeration(*PORT_TYPES, writable=False)  # noqa: N815
    classOfService = String(meaning="a bandwidth class of the configuration")  # noqa: N815
    meters = CollectionRef("Meter")
    eventLog = Ref("EventLog", writable=False)  # noqa: N815
    macAddress = String(writable=False, extension=True, meaning="of the interface that uses it")  # noqa: N815
    resource = Ref("MachineNetworkInterface", writable=False, extension=True, meaning="what uses this port")


class NetworkPortConfigurationSchema(Common):
    """The attributes of a NetworkPortConfiguration."""

    portType = Enumeration(*PORT_TYPES)  # noqa: N815
    classOfService = String()  # noqa: N815


class NetworkPortTemplateSchema(Common):
    """The attributes of a NetworkPortTemplate."""

    network = Ref("Network")
    networkPortConfig = RefOrValue("NetworkPortConfiguration", NetworkPortConfigurationSchema)  # noqa: N815
    meterTemplates = Array(RefOrValue("MeterTemplate", MeterTemplateSchema), item="meterTemplate")  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815
    macAddress = String(extension=True, meaning="wished for; else one is chosen")  # noqa: N815


class NetworkPortCreateSchema(Common):
    """The attributes of a NetworkPortCreate."""

    networkPortTemplate = RefOrValue("NetworkPortTemplate", NetworkPortTemplateSchema, mandatory=True)  # noqa: N815


class AddressTemplateSchema(Common):
    """The attributes of an AddressTemplate."""

    ip = String()
    hostname = String()
    allocation = Enumeration("dynamic", "static")
    defaultGateway = String()  # noqa: N815
    dns = Array(String(), item="dns")
    protocol = Enumeration("IPv4", "IPv6")
    mask = String()
    network = Ref("Network")


class AddressSchema(Common):
    """The attributes of an Address."""

    ip = String(writable=False)
    hostname = String()
    allocation = Enumeration("dynamic", "static", writable=False)
    defaultGateway = String(writable=False)  # noqa: N815
    dns = Array(String(), item="dns", writable=False)
    protocol = Enumeration("IPv4", "IPv6", writable=False)
    mask = String(writable=False)
    network = Ref("Network", writable=False)
    resource = Ref("MachineNetworkInterface", writable=False, meaning="what uses this address")
    source = String(
        writable=False, extension=True, meaning="how it is known: reservation, or the guest's lease, agent or arp"
    )


class AddressCreateSchema(Common):
    """The attributes of an AddressCreate."""

    addressTemplate = RefOrValue("AddressTemplate", AddressTemplateSchema, mandatory=True)  # noqa: N815


class ForwardingGroupSchema(Common):
    """The attributes of a ForwardingGroup."""

    networks = CollectionRef("ForwardingGroupNetwork")


class ForwardingGroupNetworkSchema(Common):
    """The attributes of the membership of a Network in a ForwardingGroup."""

    network = Ref("Network", writable=False, at_create=True)


class ForwardingGroupTemplateSchema(Common):
    """The attributes of a ForwardingGroupTemplate."""

    networks = Array(Ref("Network"), item="network")


class ForwardingGroupCreateSchema(Common):
    """The attributes of a ForwardingGroupCreate."""

    forwardingGroupTemplate = RefOrValue(  # noqa: N815
        "ForwardingGroupTemplate", ForwardingGroupTemplateSchema, mandatory=True
    )


START_AND_STOP = (
    Action("start", "let traffic pass"),
    Action("stop", "let no traffic pass"),
)

TYPES = (
    ResourceType(
        "Network",
        NetworkSchema,
        "networks",
        template="networkTemplate",
        actions=START_AND_STOP,
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("DefaultInitialState", "State of a new Network", "STARTED"),
            Capability("InitialStates", "States a new Network may be asked for", ",".join(INITIAL_NETWORK_STATES)),
            Capability("NetworkConfigByValue", "A template may hold its configuration by value"),
            Capability("NetworkTemplateByValue", "A NetworkCreate may hold its template by value"),
        ),
    ),
    ResourceType("NetworkNetworkPort", NetworkNetworkPortSchema, "networkPorts", parent="Network"),
    ResourceType(
        "NetworkTemplate",
        NetworkTemplateSchema,
        "networkTemplates",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"networkConfig"}),
    ),
    ResourceType(
        "NetworkConfiguration",
        NetworkConfigurationSchema,
        "networkConfigs",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"networkType"}),
    ),
    ResourceType(
        "NetworkPort",
        NetworkPortSchema,
        "networkPorts",
        template="networkPortTemplate",
        actions=START_AND_STOP,
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("NetworkPortConfigByValue", "A template may hold its configuration by value"),
            Capability("NetworkPortTemplateByValue", "A NetworkPortCreate may hold its template by value"),
        ),
    ),
    ResourceType(
        "NetworkPortTemplate",
        NetworkPortTemplateSchema,
        "networkPortTemplates",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"network", "networkPortConfig"}),
    ),
    ResourceType(
        "NetworkPortConfiguration",
        NetworkPortConfigurationSchema,
        "networkPortConfigs",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"portType"}),
    ),
    ResourceType(
        "Address",
        AddressSchema,
        "addresses",
        key="addresses",
        template="addressTemplate",
        addable=True,
        editable=True,
        deletable=True,
    ),
    ResourceType(
        "AddressTemplate", AddressTemplateSchema, "addressTemplates", addable=True, editable=True, deletable=True
    ),
    ResourceType(
        "ForwardingGroup",
        ForwardingGroupSchema,
        "forwardingGroups",
        template="forwardingGroupTemplate",
        addable=True,
        editable=True,
        deletable=True,
    ),
    ResourceType(
        "ForwardingGroupNetwork",
        ForwardingGroupNetworkSchema,
        "networks",
        parent="ForwardingGroup",
        addable=True,
        deletable=True,
    ),
    ResourceType(
        "ForwardingGroupTemplate",
        ForwardingGroupTemplateSchema,
        "forwardingGroupTemplates",
        addable=True,
        editable=True,
        deletable=True,
    ),
)

CREATE_SCHEMAS = {
    "Network": NetworkCreateSchema,
    "NetworkPort": NetworkPortCreateSchema,
    "Address": AddressCreateSchema,
    "ForwardingGroup": ForwardingGroupCreateSchema,
}
