"""The MeterConfigurations that a gateway ships: one for each aspect, at a path that clients can rely on."""

from __future__ import annotations

from gateway import clock
from gateway.cimi.registry import CLOUD_ENTRY_POINT
from gateway.orchestration.common.room import Policy
from gateway.orchestration.monitoring.aspects import MEASURED, Aspect
from gateway.orchestration.monitoring.facts import Shipped
from gateway.orchestration.monitoring.meter_templates import configuration
from gateway.store.model import Document, Resource
from gateway.store.store import Store


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
