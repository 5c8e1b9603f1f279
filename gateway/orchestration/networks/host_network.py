"""The host's own networks which the configuration names, as shared resources: users use them and change them never."""

from __future__ import annotations

import uuid
from dataclasses import replace

from drivers.base import HypervisorSettings, NetworkFacts
from gateway import clock
from gateway.orchestration.networks.ranges import ATTRIBUTES, as_range
from gateway.store.model import Document, Resource
from gateway.store.reading import Records
from gateway.store.transaction import Transaction

NAMESPACE = uuid.UUID("7b2a1c52-6f0e-5b0a-9d39-2f3f5a1c9e10")


def network_path(settings: HypervisorSettings, name: str | None = None) -> str:
    """The same network has the same path after every start. Without a name: the one for Machines that name none."""
    return f"networks/{uuid.uuid5(NAMESPACE, f'{settings.name}/{name or settings.network}')}"


def host_networks(settings: HypervisorSettings) -> tuple[str, ...]:
    """libvirt's names."""
    return tuple(dict.fromkeys((settings.network, *settings.host_networks)))


async def show_networks(
    store: Records, settings: HypervisorSettings, known: dict[str, NetworkFacts] | None = None
) -> None:
    """Write them as they are; those which ``known`` lacks are in ERROR.

    None: the hypervisor was not asked yet, and what was known of them before stays.
    """
    for name in host_networks(settings):
        if known is not None or await store.get(network_path(settings, name)) is None:
            await _show(store, settings, name, (known or {}).get(name))


async def _show(store: Records, settings: HypervisorSettings, name: str, facts: NetworkFacts | None) -> None:
    now = clock.now()
    path = network_path(settings, name)
    document = _document(name, facts)
    internal: Document = {"host": settings.name, "host_network": name}
    if facts is not None:
        ranges = [str(as_range(entry)) for entry in facts.ranges]
        internal.update(uuid=facts.uuid, forward=facts.forward, bridge=facts.bridge, ranges=ranges)
        internal.update(_served(facts))
    current = await store.get(path)
    document.update(_event_log(current))
    if current is not None and current.document == document and current.internal == internal:
        return
    async with store.transaction() as transaction:
        known = await transaction.get(path)
        if known is None:
            await transaction.insert(Resource(path, "Network", None, document, now, now, internal=internal))
        else:
            await transaction.update(replace(known, document={**document, **_event_log(known)}, internal=internal))
            await _tell_interfaces(transaction, path, document["networkType"])


def _served(facts: NetworkFacts) -> Document:
    """What libvirt's DHCP gives there of IPv4, as the store keeps it."""
    if facts.served is None:
        return {}
    return {"served": {"gateway": facts.served.gateway, "spans": [list(span) for span in facts.served.spans]}}


async def _tell_interfaces(transaction: Transaction, network: str, kind: str) -> None:
    """Make the interfaces in a Network of the host say what it is, also when an admin defined it anew."""
    for interface in await transaction.find("MachineNetworkInterface", "network", network):
        if interface.document.get("networkType") != kind:
            await transaction.update(interface.with_document(networkType=kind))


def _event_log(network: Resource | None) -> Document:
    """What is not the hypervisor's to tell stays."""
    known = network.document if network is not None else {}
    return {"eventLog": known["eventLog"]} if "eventLog" in known else {}


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
