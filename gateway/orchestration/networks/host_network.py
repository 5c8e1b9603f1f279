"""The hypervisors' configured networks as shared resources, read-only for now."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime

from drivers.base import HypervisorSettings, NetworkFacts
from gateway.store.model import Resource
from gateway.store.store import Store

NAMESPACE = uuid.UUID("7b2a1c52-6f0e-5b0a-9d39-2f3f5a1c9e10")


def network_path(settings: HypervisorSettings) -> str:
    """The same network has the same path after every start."""
    return f"networks/{uuid.uuid5(NAMESPACE, f'{settings.name}/{settings.network}')}"


async def show_network(store: Store, settings: HypervisorSettings, facts: NetworkFacts | None) -> None:
    """Write the network as it is; None when the hypervisor does not have it."""
    now = datetime.now(UTC)
    path = network_path(settings)
    document = {"name": settings.network, "state": "ERROR", "networkType": "PUBLIC"}
    if facts is not None:
        document["state"] = "STARTED" if facts.active else "STOPPED"
        document["networkType"] = "PRIVATE" if facts.forward == "isolated" else "PUBLIC"
    mtu = {"mtu": facts.mtu} if facts is not None and facts.mtu else {}
    async with store.transaction() as transaction:
        known = await transaction.get(path)
        if known is None:
            fresh = Resource(path, "Network", None, {**document, **mtu}, now, now, internal={"host": settings.name})
            await transaction.insert(fresh)
        elif known.document != {**document, **mtu}:
            await transaction.update(replace(known, document={**document, **mtu}))
