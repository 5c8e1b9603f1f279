"""Volume and what it is made from (DSP0263 5.16)."""

from __future__ import annotations

from gateway.cimi.fields import Boolean, Enumeration, Integer, Location, String, Term
from gateway.cimi.image import IMAGE_ACTIONS, IMAGE_STATES, file_size, file_sum
from gateway.cimi.monitoring import EventLogTemplateSchema, MeterTemplateSchema
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType

VOLUME_STATES = ("CREATING", "AVAILABLE", "CAPTURING", "DELETING", "ERROR")


class VolumeSchema(Common):
    """The attributes of a Volume."""

    state = Enumeration(*VOLUME_STATES, writable=False)
    type = Term(writable=False, meaning="mapped, or the URI of a storage class")
    capacity = Integer(minimum=1, meaning="kilobytes; it can only grow")
    bootable = Boolean(writable=False)
    images = CollectionRef("VolumeVolumeImage")
    meters = CollectionRef("Meter")
    eventLog = Ref("EventLog", writable=False)  # noqa: N815 - the standard's name
    statusMessage = String(writable=False, extension=True, meaning="why the Volume is in ERROR")  # noqa: N815


class VolumeVolumeImageSchema(Common):
    """The attributes of an entry in a Volume's images."""

    volumeImage = Ref("VolumeImage", writable=False, at_create=True)  # noqa: N815


class VolumeConfigurationSchema(Common):
    """The attributes of a VolumeConfiguration."""

    type = Term(meaning="mapped, or the URI of a storage class")
    format = String(meaning="the file system to make: ext4, xfs, vfat; or how to store it: raw, qcow2")
    capacity = Integer(minimum=1, meaning="kilobytes")


class VolumeImageSchema(Common):
    """The attributes of a VolumeImage."""

    state = Enumeration(*IMAGE_STATES, writable=False)
    imageLocation = Location(writable=False, at_create=True)  # noqa: N815
    bootable = Boolean(meaning="Volumes made from it are bootable")
    size = file_size()
    sha256 = file_sum()


class VolumeTemplateSchema(Common):
    """The attributes of a VolumeTemplate."""

    volumeConfig = RefOrValue("VolumeConfiguration", VolumeConfigurationSchema)  # noqa: N815
    volumeImage = RefOrValue("VolumeImage", VolumeImageSchema)  # noqa: N815
    meterTemplates = Array(RefOrValue("MeterTemplate", MeterTemplateSchema), item="meterTemplate")  # noqa: N815
    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema)  # noqa: N815


class VolumeCreateSchema(Common):
    """The attributes of a VolumeCreate."""

    volumeTemplate = RefOrValue("VolumeTemplate", VolumeTemplateSchema, mandatory=True)  # noqa: N815


TYPES = (
    ResourceType(
        "Volume",
        VolumeSchema,
        "volumes",
        template="volumeTemplate",
        actions=(Action("snapshot", "make a VolumeImage of it as it is now", creates="VolumeImage"),),
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("SharedVolumeSupport", "One Volume may be connected to several Machines", None),
            Capability("VolumeConfigByValue", "A template may hold its configuration by value"),
            Capability("VolumeImageByValue", "A template may hold its image by value"),
            Capability("VolumeTemplateByValue", "A VolumeCreate may hold its template by value"),
            Capability("VolumeSnapshot", "A VolumeImage may be made from a Volume"),
        ),
    ),
    ResourceType("VolumeVolumeImage", VolumeVolumeImageSchema, "images", parent="Volume", addable=True, deletable=True),
    ResourceType(
        "VolumeTemplate",
        VolumeTemplateSchema,
        "volumeTemplates",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"volumeConfig"}),
    ),
    ResourceType(
        "VolumeConfiguration",
        VolumeConfigurationSchema,
        "volumeConfigs",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"capacity", "type"}),
    ),
    ResourceType(
        "VolumeImage",
        VolumeImageSchema,
        "volumeImages",
        actions=IMAGE_ACTIONS,
        addable=True,
        editable=True,
        deletable=True,
    ),
)

CREATE_SCHEMAS = {"Volume": VolumeCreateSchema}
