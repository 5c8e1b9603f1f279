"""The templates of EventLogs and of Meters, and what other types' templates ask of both.

Everything is looked at before anything is written.
"""

from __future__ import annotations

from gateway import clock
from gateway.cimi.registry import CLOUD_ENTRY_POINT
from gateway.errors import Invalid
from gateway.orchestration.common.checked_service import CheckedService
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.common.room import Policy, Room
from gateway.orchestration.monitoring.aspects import MEASURED, METERED, Aspect, aspect_of
from gateway.orchestration.monitoring.facts import Monitored, Shipped
from gateway.orchestration.monitoring.recorder import LOGGED
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading
from gateway.store.store import Store

OWN = ("name", "description", "properties")
MOST_TEMPLATES = 20
"""MeterTemplates in another template."""


class EventLogTemplateService(CheckedService):
    """The service of EventLogTemplates."""

    kind = "EventLogTemplate"

    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid for a target that can have no log."""
        if document.get("targetResource"):
            await target_of(self.store, caller, document, "targetResource")


async def target_of(store: Reading, caller: Caller, template: Document, where: str) -> Resource:
    """Return the resource that a log is to be about. Raises Invalid when it cannot have one."""
    reference = template.get("targetResource")
    if reference is None:
        raise Invalid("is missing", where)
    return await resolve(store, caller, reference["href"], LOGGED, where)


async def event_log_values(store: Reading, caller: Caller, given: Document, where: str) -> Document:
    """Return what an EventLogTemplate says, by reference, by value, or both; None erases (DSP0263 4.2.3.1)."""
    stored: Document = {}
    if "href" in given:
        stored = (await resolve(store, caller, given["href"], ("EventLogTemplate",), where)).document
    merged = {**stored, **{name: value for name, value in given.items() if name != "href"}}
    return {name: value for name, value in merged.items() if value is not None and name not in OWN}


# Meters


class MeterConfigurationService(ResourceService):
    """The service of MeterConfigurations."""

    kind = "MeterConfiguration"
    catalogue = True

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new configuration, with defaults for what it does not say. Raises Invalid."""
        return new_resource(self.kind, caller.project, configuration(self.room.policy, document))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the configuration after the edit, with defaults for what it leaves out."""
        changed = await super().change(caller, resource, document, selected)
        return changed.with_document(**configuration(self.room.policy, changed.document))


class MeterTemplateService(CheckedService):
    """The service of MeterTemplates."""

    kind = "MeterTemplate"

    async def check(self, caller: Caller, document: Document) -> None:
        """Raise Invalid when no meter could be made of the template."""
        values = await meter_values(self.room, caller, document, "")
        target = values.get("targetResource")
        if target is None:
            configuration(self.room.policy, values["meterConfig"], "meterConfig.")
            return
        measured = await resolve(self.store, caller, target["href"], METERED, "targetResource")
        meter_attributes(self.room.policy, values["meterConfig"], measured.kind, "meterConfig.")


async def meter_values(room: Room, caller: Caller, given: Document, where: str) -> Document:
    """Return ``targetResource`` and the whole ``meterConfig`` that a template says (DSP0263 4.2.3.1).

    Both may stand there by reference, by value, or both. ``where`` is how errors begin, ending in a dot unless it is
    empty. Raises Invalid.
    """
    stored: Document = {}
    if "href" in given:
        stored = (await resolve(room.store, caller, given["href"], ("MeterTemplate",), where.rstrip("."))).document
    values = merged(stored, given)
    config = values.get("meterConfig")
    if config is None:
        raise Invalid("is missing", f"{where}meterConfig")
    below: Document = {}
    if "href" in config:
        kinds = ("MeterConfiguration",)
        below = (await resolve(room.store, caller, config["href"], kinds, f"{where}meterConfig")).document
    return {**values, "meterConfig": merged(below, config)}


def meter_attributes(policy: Policy, config: Document, kind: str, where: str) -> Document:
    """Return the attributes of a Meter of a resource of this kind. Raises Invalid, naming the one that is wrong."""
    config = configuration(policy, config, where)
    listed = [entry["href"] for entry in config.get("associatedTo", ())]
    if listed and kind not in listed:
        raise Invalid(f"is {', '.join(listed)}, and does not have {kind}", f"{where}associatedTo")
    aspect = aspect_of(kind, config["aspect"])
    if aspect is None:
        measurable = ", ".join(entry.name for entry in MEASURED.get(kind, ())) or "nothing"
        wrong = f"{config['aspect'][:80]} cannot be measured of a {kind}; what can be is {measurable}"
        raise Invalid(wrong, f"{where}aspect")
    names = ("aspect", "units", "sampleInterval", "timeScope", "intervalDuration", "isContinuous")
    return {name: config[name] for name in names if name in config}


def configuration(policy: Policy, config: Document, where: str = "") -> Document:
    """Return the MeterConfiguration with the defaults in place of what it does not say. Raises Invalid."""
    kinds = _kinds(config, where)
    if "aspect" not in config:
        raise Invalid("is missing", f"{where}aspect")
    aspect = _aspect(config["aspect"], kinds, where)
    check_interval(policy, config.get("sampleInterval"), where)
    scope = config.get("timeScope", "Point")
    if (scope == "Interval") != ("intervalDuration" in config):
        wrong = "is missing: an Interval needs one" if scope == "Interval" else "is given, but timeScope is Point"
        raise Invalid(wrong, f"{where}intervalDuration")
    whole = {
        "aspect": aspect.term,
        "units": _units(config.get("units"), aspect, where),
        "sampleInterval": config.get("sampleInterval", policy.sample_interval),
        "timeScope": scope,
        "isContinuous": config.get("isContinuous", aspect.is_continuous),
    }
    return {**config, **whole}


def _kinds(config: Document, where: str) -> tuple[str, ...]:
    listed = tuple(entry["href"] for entry in config.get("associatedTo", ()))
    for place, kind in enumerate(listed):
        if kind not in METERED:
            raise Invalid(f"{kind[:80]} is no type that has meters", f"{where}associatedTo.{place}")
    return listed or tuple(MEASURED)


def _aspect(term: str, kinds: tuple[str, ...], where: str) -> Aspect:
    """Return the aspect of the first of these kinds that has it: an aspect has the same units everywhere."""
    for kind in kinds:
        aspect = aspect_of(kind, term)
        if aspect is not None:
            return aspect
    names = sorted({entry.name for kind in kinds for entry in MEASURED.get(kind, ())})
    raise Invalid(f"{term[:80]} is not known; known are {', '.join(names)}", f"{where}aspect")


def _units(given: str | None, aspect: Aspect, where: str) -> str:
    if given is not None and given.strip().casefold() not in {spelling.casefold() for spelling in aspect.units}:
        raise Invalid(f"{aspect.name} is measured in {aspect.units[0]}, not in {given[:40]!r}", f"{where}units")
    return aspect.units[0]


def check_interval(policy: Policy, seconds: int | None, where: str = "") -> None:
    """Raise Invalid for less than the policy's sample period in ``seconds``; None is taken for the default."""
    if seconds is not None and seconds < policy.sample_period:
        raise Invalid(f"must be at least {policy.sample_period} seconds, not {seconds}", f"{where}sampleInterval")


# The MeterConfigurations that a gateway ships: one for each aspect, at a path that clients can rely on


async def ship_configurations(store: Store, policy: Policy) -> None:
    """Write the configurations that were not shipped before: what an admin changed or deleted stays so."""
    entry = await store.get(CLOUD_ENTRY_POINT.segment)
    assert entry is not None
    shipped = set(Shipped.of(entry).shipped_aspects)
    fresh = {aspect.name: aspect for aspects in MEASURED.values() for aspect in aspects if aspect.name not in shipped}
    if not fresh:
        return
    async with store.transaction() as transaction:
        for name, aspect in fresh.items():
            path = f"meterConfigs/{name}"
            if await transaction.get(path) is None:
                await transaction.insert(_resource(path, _document(policy, aspect)))
        await transaction.update(Shipped.changed(entry, shipped_aspects=tuple(sorted(shipped | fresh.keys()))))


def _document(policy: Policy, aspect: Aspect) -> Document:
    kinds = [kind for kind, aspects in MEASURED.items() if any(entry.term == aspect.term for entry in aspects)]
    named = {"name": aspect.name, "associatedTo": [{"href": kind} for kind in kinds], "aspect": aspect.term}
    return configuration(policy, named)


def _resource(path: str, document: Document) -> Resource:
    now = clock.now()
    return Resource(path, "MeterConfiguration", None, document, now, now)


# What the templates of other types ask for


async def requested_monitoring(room: Room, caller: Caller, template: Document, kind: str, where: str = "") -> Monitored:
    """Return what a new resource's template asks for of its EventLog and its Meters.

    The resource keeps it until it is written. ``where`` is the way to the template in a larger document, ending in a
    dot. Raises Invalid, naming the attribute.
    """
    event_log = await requested_event_log(room.store, caller, template, where)
    return Monitored(event_log, await requested_meters(room, caller, template, kind, where))


async def requested_event_log(store: Reading, caller: Caller, template: Document, where: str = "") -> Document:
    """Return the attributes of a new resource's log that its template's ``eventLogTemplate`` asks for.

    ``where`` is the way to the template in a larger document, ending in a dot.
    """
    given, where = template.get("eventLogTemplate"), f"{where}eventLogTemplate"
    if given is None:
        return {}
    values = await event_log_values(store, caller, given, where)
    if "targetResource" in values:
        raise Invalid("must not be given here: the log is about the new resource itself", f"{where}.targetResource")
    return values


async def requested_meters(
    room: Room, caller: Caller, template: Document, kind: str, where: str = ""
) -> tuple[Document, ...]:
    """Return the attributes of the Meters that a new resource's template asks for (``meterTemplates``).

    ``where`` is the way to the template in a larger document, ending in a dot.
    """
    given = template.get("meterTemplates") or []
    where = f"{where}meterTemplates"
    if len(given) > MOST_TEMPLATES:
        raise Invalid(f"has {len(given)} entries; at most {MOST_TEMPLATES} are allowed", where)
    return tuple(
        [await _requested_meter(room, caller, entry, kind, f"{where}.{place}.") for place, entry in enumerate(given)]
    )


async def _requested_meter(room: Room, caller: Caller, given: Document, kind: str, where: str) -> Document:
    values = await meter_values(room, caller, given, where)
    if "targetResource" in values:
        raise Invalid(f"must not be given here: the meter is of the new {kind} itself", f"{where}targetResource")
    own = {name: given[name] for name in ("name", "description", "properties") if given.get(name)}
    return {**own, **meter_attributes(room.policy, values["meterConfig"], kind, f"{where}meterConfig.")}
