"""From a NetworkPortCreate to a checked new NetworkPort; nothing is written (DSP0263 5.18.2)."""

from __future__ import annotations

from gateway.errors import Invalid, NotImplementedHere
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.names import checked_mac, new_mac
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.spec import class_of_service
from gateway.orchestration.ports.facts import KeptPort
from gateway.store.model import Document, Resource

WHERE = "networkPortTemplate"


async def new_port(room: Room, caller: Caller, document: Document) -> Resource:
    """Return the checked new port. Raises what the request deserves."""
    template = await _template(room, caller, document[WHERE])
    network = await _network(room, caller, template)
    config = await _config(room, caller, template)
    kind = config.get("portType", "ACCESS")
    if kind != "ACCESS":
        raise NotImplementedHere(f"{WHERE}.networkPortConfig.portType: only ACCESS ports are offered")
    host = KeptNetwork.of(network).host
    settings = room.hypervisors[host]
    service = class_of_service(config.get("classOfService"), settings, f"{WHERE}.networkPortConfig.classOfService")
    mac = template.get("macAddress")
    port: Document = {
        **{name: document[name] for name in OWN if name in document},
        "state": "STARTED",
        "network": {"href": network.path},
        "portType": kind,
        "classOfService": service,
        "macAddress": new_mac() if mac is None else checked_mac(mac, f"{WHERE}.macAddress"),
    }
    port = {name: value for name, value in port.items() if value is not None}
    wishes = await requested_monitoring(room, caller, template, "NetworkPort", f"{WHERE}.")
    return wishes.on(KeptPort(host=host).on(new_resource("NetworkPort", caller.project, port)))


async def _template(room: Room, caller: Caller, given: Document) -> Document:
    template: Document = {}
    if "href" in given:
        template = (await resolve(room.store, caller, given["href"], ("NetworkPortTemplate",), WHERE)).document
    return merged(template, given)


async def _network(room: Room, caller: Caller, template: Document) -> Resource:
    href = (template.get("network") or {}).get("href")
    if href is None:
        raise Invalid("is missing: a port belongs to a network", f"{WHERE}.network")
    return await resolve(room.store, caller, href, ("Network",), f"{WHERE}.network")


async def _config(room: Room, caller: Caller, template: Document) -> Document:
    given = template.get("networkPortConfig") or {}
    config: Document = {}
    if "href" in given:
        where = f"{WHERE}.networkPortConfig"
        config = (await resolve(room.store, caller, given["href"], ("NetworkPortConfiguration",), where)).document
    return merged(config, given)
