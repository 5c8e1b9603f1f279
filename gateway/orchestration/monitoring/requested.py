"""The EventLog and the Meters that the template of a new resource asks for."""

from __future__ import annotations

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resource_service import Room
from gateway.orchestration.monitoring.facts import Monitored
from gateway.orchestration.monitoring.meter_templates import requested_meters
from gateway.orchestration.monitoring.templates import requested_event_log
from gateway.store.model import Document


async def requested_monitoring(room: Room, caller: Caller, template: Document, kind: str, where: str = "") -> Monitored:
    """Return what a new resource's template asks for of its EventLog and its Meters.

    The resource keeps it until it is written. ``where`` is the way to the template in a larger document, ending in a
    dot. Raises Invalid, naming the attribute.
    """
    event_log = await requested_event_log(room.store, caller, template, where)
    return Monitored(event_log, await requested_meters(room, caller, template, kind, where))
