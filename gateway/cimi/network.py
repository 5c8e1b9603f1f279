"""Network and Address, as far as a Machine's interfaces lead to them (DSP0263 5.17, 5.19)."""

from __future__ import annotations

from gateway.cimi.fields import Enumeration, Integer, String
from gateway.cimi.references import Array, Ref
from gateway.cimi.resource_type import Common, ResourceType

NETWORK_STATES = ("CREATING", "STARTED", "STOPPED", "DELETING", "ERROR")


class NetworkSchema(Common):
    state = Enumeration(*NETWORK_STATES, writable=False)
    networkType = String(writable=False, meaning="PUBLIC or PRIVATE")  # noqa: N815 - the standard's name
    mtu = Integer(writable=False, meaning="bytes")
    classOfService = String(writable=False)  # noqa: N815


class AddressSchema(Common):
    ip = String(writable=False)
    hostname = String(writable=False)
    allocation = Enumeration("dynamic", "static", writable=False)
    defaultGateway = String(writable=False)  # noqa: N815
    dns = Array(String(), item="dns", writable=False)
    protocol = Enumeration("IPv4", "IPv6", writable=False)
    mask = String(writable=False)
    network = Ref("Network", writable=False)
    resource = Ref("MachineNetworkInterface", writable=False, meaning="what uses this address")


TYPES = (
    ResourceType("Network", NetworkSchema, "networks"),
    ResourceType("Address", AddressSchema, "addresses", key="addresses"),
)
