"""Meters as clients see them: in the collection of all and in that of each resource (DSP0263 5.18).

Meters come and go with their resources, in the same transaction, whichever service makes or removes them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway import clock
from gateway.cimi.filter import AttributeType, Comparison
from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.orchestration.common.contract import Caller, Outcome
from gateway.orchestration.common.first_answers import Write
from gateway.orchestration.common.permissions import changeable, granted
from gateway.orchestration.common.references import resolve
from gateway.orchestration.common.resource_service import ResourceService, new_resource
from gateway.orchestration.monitoring.aspects import MEASURED, METERED, aspect_of
from gateway.orchestration.monitoring.facts import KeptMeter, Monitored
from gateway.orchestration.monitoring.templates import check_interval, meter_attributes, meter_values
from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction

WHERE = "meterTemplate"
OWN = ("name", "description", "properties")


class MeterService(ResourceService):
    """The service of Meters.

    Meters stand in one collection; that of a resource lists those whose ``targetResource`` it is.
    """

    kind = "Meter"
    computed = True

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the meters that the query asks for, of one resource where it names a parent."""
        if query.parent is not None:
            own = Comparison("targetResource", "=", query.parent, AttributeType.REFERENCE)
            query = replace(query, parent=None, filters=(own, *query.filters))
        return await super().list(caller, query)

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations legal now: of ``start`` and ``stop`` the one that changes something."""
        verb = "stop" if is_running(resource, clock.now()) else "start"
        offered = changeable(caller, resource) and granted(caller.role, self.kind, verb)
        return (*super().operations(caller, resource), *((verb,) if offered else ()))

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return ``add`` when the caller may meter the resource, else nothing."""
        if parent is not None and (parent.kind not in MEASURED or not changeable(caller, parent)):
            return ()
        return super().collection_operations(caller, parent)

    # Create

    async def prepare(self, caller: Caller, collection: str, document: Document) -> Write:
        """Check a new meter, and return what writes it. Raises Conflict for a resource with too many meters."""
        values = await meter_values(self.room, caller, document[WHERE], f"{WHERE}.")
        target = await self._target(caller, values, collection.rpartition("/")[0])
        attributes = meter_attributes(self.room.policy, values["meterConfig"], target.kind, f"{WHERE}.meterConfig.")
        own = {name: document[name] for name in OWN if name in document}
        meter = new_meter(target, target.project or caller.project, {**own, **attributes})

        async def write(transaction: Transaction) -> Outcome:
            await self._room_for_one_more(transaction, target)
            await transaction.insert(meter)
            return await self.made(transaction, meter, self.plan(caller, "add", collection, affected=(meter.path,)))

        return write

    async def _target(self, caller: Caller, values: Document, owner: str) -> Resource:
        """Return the resource to measure.

        ``owner`` is the path of the one in whose collection the meter is made, or ''. Raises Invalid and Forbidden.
        """
        where = f"{WHERE}.targetResource"
        given = values.get("targetResource", {}).get("href") or owner
        if not given:
            raise Invalid("is missing", where)
        if owner and given != owner:
            raise Invalid(f"is another resource than {owner}, whose meters these are", where)
        target = await resolve(self.store, caller, given, METERED, where)
        if not changeable(caller, target):
            raise Forbidden(f"{where}: {given} belongs to somebody else; only its owner or an admin may meter it")
        return target

    async def _room_for_one_more(self, transaction: Transaction, target: Resource) -> None:
        if await transaction.get(target.path) is None:
            raise Invalid(f"there is no {target.kind} {target.path}", f"{WHERE}.targetResource")
        most = self.room.policy.most_meters
        if len(await transaction.find("Meter", "targetResource", target.path)) >= most:
            raise Conflict(f"{target.path} has {most} meters, and may not have more; delete one first")

    # Edit, start, stop

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the Meter after the edit, always with a sampleInterval: the configured one where it has none."""
        check_interval(self.room.policy, document.get("sampleInterval"))
        for name in ("stopTime", "expiresTime"):
            _must_be_to_come(name, document.get(name), resource.document.get(name))
        changed = await super().change(caller, resource, document, selected)
        _check_bounds(changed.document)
        interval = changed.document.get("sampleInterval", self.room.policy.sample_interval)
        return changed.with_document(sampleInterval=interval)

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Start or stop the Meter. Raises Conflict when it is started, or stopped, already."""
        await self.to_change(caller, path, action)
        now = clock.now()
        async with self.store.transaction() as transaction:
            meter = await transaction.get(path)
            if meter is None:
                raise NotFound(f"there is no Meter {path[:200]}")
            if is_running(meter, now) == (action == "start"):
                raise Conflict(f"the Meter is {'started' if action == 'start' else 'stopped'} already")
            meter = await transaction.update(_switched(meter, action, now))
            job = await self.room.runner.completed(transaction, self.plan(caller, action, path))
        return Outcome(meter, job, finished=True)


def new_meter(target: Resource, project: str, document: Document) -> Resource:
    """Return a running Meter, with the bounds that its aspect has for the resource; nothing is written."""
    aspect = aspect_of(target.kind, document["aspect"])
    assert aspect is not None
    least, most = aspect.limits(target)
    bounds = {name: value for name, value in (("minValue", least), ("maxValue", most)) if value is not None}
    return new_resource("Meter", project, {**bounds, **document, "targetResource": {"href": target.path}})


def is_running(meter: Resource, now: datetime) -> bool:
    """Return whether the Meter measures now: no client has stopped it, and its stopTime is still to come."""
    stop = meter.document.get("stopTime")
    return not KeptMeter.of(meter).stopped and (stop is None or datetime.fromisoformat(stop) > now)


def _switched(meter: Resource, action: str, now: datetime) -> Resource:
    """Return the Meter started or stopped; a start takes back a stopTime that is over."""
    if action == "stop":
        return KeptMeter.changed(meter, stopped=True)
    stop = meter.document.get("stopTime")
    over = stop is not None and datetime.fromisoformat(stop) <= now
    return KeptMeter.changed(meter.with_document(stopTime=None if over else stop), stopped=False)


def _must_be_to_come(name: str, given: str | None, before: str | None) -> None:
    """Raise Invalid for a time that is over, unless a client sends it back as it read it."""
    if given is not None and given != before and datetime.fromisoformat(given) <= clock.now():
        raise Invalid(f"is over: {given}", name)


def _check_bounds(document: Document) -> None:
    bounds: dict[str, float] = {}
    for name in ("minValue", "maxValue"):
        text = document.get(name)
        if text is None:
            continue
        try:
            bounds[name] = float(text)
        except ValueError:
            raise Invalid(f"must be a number, not {text[:40]!r}", name) from None
    if bounds.get("minValue", float("-inf")) > bounds.get("maxValue", float("inf")):
        raise Invalid("is less than minValue", "maxValue")


async def keep_meters(transaction: Transaction) -> None:
    """Make the Meters of new resources, and delete those of deleted ones; the store calls this at a transaction's end.

    A new resource gets the Meters which its template asked for (``Monitored.meters``).
    """
    for path, after in list(transaction.changes.items()):
        before = transaction.before[path]
        if before is None and after is not None and Monitored.of(after).meters:
            await _make(transaction, after)
        elif before is not None and after is None and before.kind in METERED:
            for meter in await transaction.find("Meter", "targetResource", path):
                await transaction.delete(meter.path)


async def _make(transaction: Transaction, target: Resource) -> None:
    for document in Monitored.of(target).meters:
        await transaction.insert(new_meter(target, target.project or "", document))
    await transaction.update(Monitored.changed(target, meters=()))
