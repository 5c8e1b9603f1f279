"""EventLog and its Events: what happened to a resource, who asked for it, how it ended; Meter (DSP0263 5.18, 5.22)."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi.fields import URI, Boolean, DateTime, Enumeration, Integer, String, Term
from gateway.cimi.references import CollectionRef, Ref, RefOrValue, Structure
from gateway.cimi.resource_type import Capability, Common, ResourceType

PERSISTENCES = ("hourly", "daily", "weekly", "monthly", "yearly")
SEVERITIES = ("low", "medium", "high", "critical")
OUTCOMES = ("Pending", "Unknown", "Status", "Success", "Warning", "Failure")
CHANGES = ("create", "update", "delete")


class MeterSchema(Common):
    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    aspect = URI(writable=False, meaning="what is measured")
    units = String(writable=False)
    sampleInterval = Integer(writable=False, meaning="seconds")  # noqa: N815
    timeScope = String(writable=False, meaning="Point or Interval")  # noqa: N815
    intervalDuration = String(writable=False)  # noqa: N815
    isContinuous = Boolean(writable=False)  # noqa: N815
    minValue = String(writable=False)  # noqa: N815
    maxValue = String(writable=False)  # noqa: N815
    stopTime = DateTime(writable=False)  # noqa: N815
    expiresTime = DateTime(writable=False)  # noqa: N815


class SummarySchema(Schema):
    low = Integer()
    medium = Integer()
    high = Integer()
    critical = Integer()


class EventLogSchema(Common):
    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    events = CollectionRef("Event")
    persistence = Enumeration(*PERSISTENCES, meaning="how long events are kept")
    summary = Structure(SummarySchema, writable=False, meaning="events by severity")


class EventLogTemplateSchema(Common):
    targetResource = Ref("Resource")  # noqa: N815
    persistence = Enumeration(*PERSISTENCES)


class EventLogCreateSchema(Common):
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
    timestamp = DateTime(writable=False)
    type = Term("event/", writable=False, meaning="state, alarm, model or access")
    content = Structure(EventContentSchema, writable=False)
    outcome = Enumeration(*OUTCOMES, writable=False)
    severity = Enumeration(*SEVERITIES, writable=False)
    contact = String(writable=False)


TYPES = (
    ResourceType("Meter", MeterSchema, "meters", parent="Volume"),
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
CREATE_SCHEMAS = {"EventLog": EventLogCreateSchema}
