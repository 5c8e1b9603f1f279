"""Meters and their Samples: how much was used (DSP0263 5.18). EventLogs and their Events: what happened (5.22)."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi.fields import Boolean, DateTime, Enumeration, Integer, IntervalDuration, String, Term
from gateway.cimi.references import Array, CollectionRef, Ref, RefOrValue, Structure, TypeRef
from gateway.cimi.resource_type import Action, Capability, Common, ResourceType

PERSISTENCES = ("hourly", "daily", "weekly", "monthly", "yearly")
SEVERITIES = ("low", "medium", "high", "critical")
OUTCOMES = ("Pending", "Unknown", "Status", "Success", "Warning", "Failure")
CHANGES = ("create", "update", "delete")
TIME_SCOPES = ("Point", "Interval")


class MeterSchema(Common):
    """The attributes of a Meter."""

    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    aspect = Term("aspect/", writable=False, meaning="what is measured")
    units = String(writable=False)
    sampleInterval = Integer(minimum=1, meaning="seconds between samples")  # noqa: N815
    timeScope = Enumeration(*TIME_SCOPES, writable=False)  # noqa: N815
    intervalDuration = IntervalDuration(writable=False, meaning="what a sample of an Interval covers")  # noqa: N815
    isContinuous = Boolean(writable=False)  # noqa: N815
    samples = CollectionRef("Sample")
    minValue = String(meaning="the least that is expected")  # noqa: N815
    maxValue = String(meaning="the most that is expected")  # noqa: N815
    stopTime = DateTime(meaning="from then on there are no more samples")  # noqa: N815
    expiresTime = DateTime(meaning="from then on the meter is gone")  # noqa: N815


class MeterConfigurationSchema(Common):
    """The attributes of a MeterConfiguration."""

    associatedTo = Array(TypeRef("type"), item="associatedTo", meaning="types that it applies to")  # noqa: N815
    aspect = Term("aspect/")
    units = String()
    sampleInterval = Integer(minimum=1, meaning="seconds")  # noqa: N815
    timeScope = Enumeration(*TIME_SCOPES)  # noqa: N815
    intervalDuration = IntervalDuration()  # noqa: N815
    isContinuous = Boolean()  # noqa: N815


class MeterTemplateSchema(Common):
    """The attributes of a MeterTemplate."""

    targetResource = Ref("Resource")  # noqa: N815
    meterConfig = RefOrValue("MeterConfiguration", MeterConfigurationSchema)  # noqa: N815


class MeterCreateSchema(Common):
    """The attributes of a MeterCreate."""

    meterTemplate = RefOrValue("MeterTemplate", MeterTemplateSchema, mandatory=True)  # noqa: N815


class SampleValueSchema(Schema):
    """The time and the value of a Sample, which are XML attributes of one element."""

    timestamp = DateTime(xml_attribute=True)
    value = String(xml_attribute=True)


class SampleSchema(Common):
    """The attributes of a Sample."""

    timestamp = DateTime(writable=False, in_xml=False, meaning="when it was measured, or the interval's end")
    value = String(writable=False, in_xml=False)
    sample = Structure(SampleValueSchema, writable=False)


class SummarySchema(Schema):
    """The numbers of an EventLog's Events by their severity."""

    low = Integer()
    medium = Integer()
    high = Integer()
    critical = Integer()


class EventLogSchema(Common):
    """The attributes of an EventLog."""

    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    events = CollectionRef("Event")
    persistence = Enumeration(*PERSISTENCES, meaning="how long events are kept")
    summary = Structure(SummarySchema, writable=False, meaning="events by severity")


class EventLogTemplateSchema(Common):
    """The attributes of an EventLogTemplate."""

    targetResource = Ref("Resource")  # noqa: N815
    persistence = Enumeration(*PERSISTENCES)


class EventLogCreateSchema(Common):
    """The attributes of an EventLogCreate."""

    eventLogTemplate = RefOrValue("EventLogTemplate", EventLogTemplateSchema, mandatory=True)  # noqa: N815


class EventContentSchema(Schema):
    """The members of all four contents, in an order that is each one's own (DSP0263 5.22.4)."""

    resName = String()  # noqa: N815
    operation = String(meaning="access: what was asked")
    resource = Ref("Resource")
    resType = Term()  # noqa: N815
    state = String()
    previous = String(meaning="state: the one before")
    change = Enumeration(*CHANGES)
    code = String(meaning="alarm: what is wrong, in a word")
    detail = String()
    initiator = String(meaning="access: who asked")


class EventSchema(Common):
    """The attributes of an Event."""

    timestamp = DateTime(writable=False)
    type = Term("event/", writable=False, meaning="state, alarm, model or access")
    content = Structure(EventContentSchema, writable=False)
    outcome = Enumeration(*OUTCOMES, writable=False)
    severity = Enumeration(*SEVERITIES, writable=False)
    contact = String(writable=False)


TYPES = (
    ResourceType(
        "Meter",
        MeterSchema,
        "meters",
        template="meterTemplate",
        actions=(Action("start", "record samples"), Action("stop", "record no more samples")),
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(
            Capability("MeterConfigByValue", "A template may hold its configuration by value"),
            Capability("MeterTemplateByValue", "A MeterCreate may hold its template by value"),
            Capability("LeastSampleInterval", "Seconds between two samples at least", None),
        ),
    ),
    ResourceType("Sample", SampleSchema, "samples", parent="Meter", series=True),
    ResourceType(
        "MeterTemplate",
        MeterTemplateSchema,
        "meterTemplates",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"meterConfig"}),
    ),
    ResourceType(
        "MeterConfiguration",
        MeterConfigurationSchema,
        "meterConfigs",
        addable=True,
        editable=True,
        deletable=True,
        mandatory=frozenset({"aspect"}),
    ),
    ResourceType(
        "EventLog",
        EventLogSchema,
        "eventLogs",
        template="eventLogTemplate",
        addable=True,
        editable=True,
        deletable=True,
        capabilities=(Capability("Linked", "An EventLog is deleted with its resource"),),
    ),
    ResourceType(
        "EventLogTemplate", EventLogTemplateSchema, "eventLogTemplates", addable=True, editable=True, deletable=True
    ),
    ResourceType("Event", EventSchema, "events", parent="EventLog", series=True),
)
CREATE_SCHEMAS = {"Meter": MeterCreateSchema, "EventLog": EventLogCreateSchema}
