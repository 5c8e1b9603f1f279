"""The host's own networks which the configuration names, as shared resources: users use them and change them never."""

from __future__ import annotations

import uuid
from dataclasses import replace

from drivers.base import HypervisorSettings, NetworkFacts
from gateway import clock
from gateway.orchestration.networks.facts import KeptNetwork, Served
from gateway.orchestration.networks.ranges import ATTRIBUTES, as_range
from gateway.store.model import Document, Resource
from gateway.store.reading import Records
from gateway.store.transaction import Transaction

NAMESPACE = uuid.UUID("7b2a1c52-6f0e-5b0a-9d39-2f3f5a1c9e10")


def network_path(settings: HypervisorSettings, name: str | None = None) -> str:
    """Return the path of a network of the host's own, the same after every start.

    Without a name it is the one for Machines that name none.
    """
    return f"networks/{uuid.uuid5(NAMESPACE, f'{settings.name}/{name or settings.network}')}"


def host_networks(settings: HypervisorSettings) -> tuple[str, ...]:
    """Return libvirt's names of the host's own networks that are shown."""
    return tuple(dict.fromkeys((settings.network, *settings.host_networks)))


async def show_networks(
    store: Records, settings: HypervisorSettings, facts: dict[str, NetworkFacts] | None = None
) -> None:
    """Write the host's own networks as they are; those that ``facts``, by libvirt's name, lacks are in ERROR.

    None: the hypervisor was not asked yet, and what it told of them before stays.
    """
    for name in host_networks(settings):
        if facts is not None or await store.get(network_path(settings, name)) is None:
            await _show(store, settings, name, (facts or {}).get(name))


async def _show(store: Records, settings: HypervisorSettings, name: str, facts: NetworkFacts | None) -> None:
    now = clock.now()
    path = network_path(settings, name)
    document = _document(name, facts)
    kept = _kept(settings, name, facts)
    current = await store.get(path)
    document.update(_event_log(current))
    if current is not None and current.document == document and KeptNetwork.of(current) == kept:
        return
    async with store.transaction() as transaction:
        current = await transaction.get(path)
        if current is None:
            await transaction.insert(kept.on(Resource(path, "Network", None, document, now, now)))
        else:
            await transaction.update(kept.on(replace(current, document={**document, **_event_log(current)})))
            await _tell_interfaces(transaction, path, document["networkType"])


def _kept(settings: HypervisorSettings, name: str, facts: NetworkFacts | None) -> KeptNetwork:
    kept = KeptNetwork(host=settings.name, host_network=name)
    if facts is None:
        return kept
    return replace(
        kept,
        uuid=facts.uuid,
        forward=facts.forward,
        bridge=facts.bridge,
        ranges=tuple(str(as_range(entry)) for entry in facts.ranges),
        served=Served(facts.served.gateway, facts.served.spans) if facts.served is not None else None,
    )


async def _tell_interfaces(transaction: Transaction, network: str, kind: str) -> None:
    """Make the interfaces in a Network of the host say what it is, also when an admin defined it anew."""
    for interface in await transaction.find("MachineNetworkInterface", "network", network):
        if interface.document.get("networkType") != kind:
            await transaction.update(interface.with_document(networkType=kind))


def _event_log(network: Resource | None) -> Document:
    """Return what is not the hypervisor's to tell, and stays."""
    document = network.document if network is not None else {}
    return {"eventLog": document["eventLog"]} if "eventLog" in document else {}


def _document(name: str, facts: NetworkFacts | None) -> Document:
    if facts is None:
        return {"name": name, "state": "ERROR", "networkType": "PUBLIC"}
    ranges = [as_range(entry) for entry in facts.ranges]
    document = {
        "name": name,
        "state": "STARTED" if facts.active else "STOPPED",
        "networkType": "PRIVATE" if facts.forward == "isolated" else "PUBLIC",
        "mtu": facts.mtu,
        **{ATTRIBUTES[entry.version]: str(entry) for entry in reversed(ranges)},
    }
    return {attribute: value for attribute, value in document.items() if value is not None}
