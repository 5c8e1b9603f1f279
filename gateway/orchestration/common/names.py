"""The names that Networks have in libvirt."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import network_name
from gateway.store.durable import Kept
from gateway.store.model import Resource


@dataclass(frozen=True)
class NamedByHost(Kept):
    """The name that an admin gave to a network of the host's own; None for a network that the gateway made."""

    host_network: str | None = None


def uuid_of(network: Resource) -> str:
    """Return the UUID of the libvirt network, which is the Network's id."""
    return network.path.rpartition("/")[2]


def name_of(network: Resource) -> str:
    """Return libvirt's name of a Network: the gateway's own are named by their ids, the host's by the admin."""
    return NamedByHost.of(network).host_network or network_name(uuid_of(network))
