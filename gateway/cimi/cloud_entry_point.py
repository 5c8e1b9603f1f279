"""CloudEntryPoint: the one known URI, from which everything else is found (DSP0263 5.12)."""

from __future__ import annotations

from gateway.cimi.fields import URI
from gateway.cimi.references import CollectionRef
from gateway.cimi.resource_type import Capability, Common, ResourceType


class CloudEntryPointSchema(Common):
    """The attributes of the CloudEntryPoint: the collections of all types, and what this provider adds."""

    baseURI = URI(writable=False)  # noqa: N815 - the standard's name
    resourceMetadata = CollectionRef("ResourceMetadata")  # noqa: N815
    systems = CollectionRef("System")
    systemTemplates = CollectionRef("SystemTemplate")  # noqa: N815
    machines = CollectionRef("Machine")
    machineTemplates = CollectionRef("MachineTemplate")  # noqa: N815
    machineConfigs = CollectionRef("MachineConfiguration")  # noqa: N815
    machineImages = CollectionRef("MachineImage")  # noqa: N815
    credentials = CollectionRef("Credential")
    credentialTemplates = CollectionRef("CredentialTemplate")  # noqa: N815
    volumes = CollectionRef("Volume")
    volumeTemplates = CollectionRef("VolumeTemplate")  # noqa: N815
    volumeConfigs = CollectionRef("VolumeConfiguration")  # noqa: N815
    volumeImages = CollectionRef("VolumeImage")  # noqa: N815
    networks = CollectionRef("Network")
    networkTemplates = CollectionRef("NetworkTemplate")  # noqa: N815
    networkConfigs = CollectionRef("NetworkConfiguration")  # noqa: N815
    networkPorts = CollectionRef("NetworkPort")  # noqa: N815
    networkPortTemplates = CollectionRef("NetworkPortTemplate")  # noqa: N815
    networkPortConfigs = CollectionRef("NetworkPortConfiguration")  # noqa: N815
    addresses = CollectionRef("Address")
    addressTemplates = CollectionRef("AddressTemplate")  # noqa: N815
    forwardingGroups = CollectionRef("ForwardingGroup")  # noqa: N815
    forwardingGroupTemplates = CollectionRef("ForwardingGroupTemplate")  # noqa: N815
    jobs = CollectionRef("Job")
    meters = CollectionRef("Meter")
    meterTemplates = CollectionRef("MeterTemplate")  # noqa: N815
    meterConfigs = CollectionRef("MeterConfiguration")  # noqa: N815
    eventLogs = CollectionRef("EventLog")  # noqa: N815
    eventLogTemplates = CollectionRef("EventLogTemplate")  # noqa: N815
    users = CollectionRef("User", extension=True, meaning="who may come in")
    projects = CollectionRef("Project", extension=True, meaning="what resources are in, and users have roles in")
    tokens = CollectionRef("Token", extension=True, meaning="what programs come in by, in place of a password")
    imageCatalog = CollectionRef("CatalogImage", extension=True, meaning="well-known images")  # noqa: N815
    quotas = CollectionRef("Quota", extension=True, meaning="how much each project and user has, and may have")
    eventStream = URI(writable=False, extension=True, meaning="live events and jobs, as Server-Sent Events")  # noqa: N815
    openapi = URI(writable=False, extension=True, meaning="what can be asked here, as an OpenAPI 3.1 description")


TYPES = (
    ResourceType(
        "CloudEntryPoint",
        CloudEntryPointSchema,
        "cloudEntryPoint",
        editable=True,
        singleton=True,
        capabilities=(
            Capability("ExpandParameter", "$expand is supported"),
            Capability("FilterParameter", "$filter is supported"),
            Capability("FirstParameter", "$first and $last are supported"),
            Capability("SelectParameter", "$select is supported"),
            Capability("FormatParameter", "$format is supported"),
            Capability("OrderByParameter", "$orderby is supported"),
            Capability("QueryPathNotation", "$select takes paths", False),
            Capability("IdempotencyKey", "A create with a known Idempotency-Key is answered as the first one was"),
        ),
    ),
)
