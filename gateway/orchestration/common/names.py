"""The names that Networks have in libvirt."""

from __future__ import annotations

from drivers.base import network_name
from gateway.store.model import Resource


def uuid_of(network: Resource) -> str:
    """The libvirt network's UUID is the Network's id."""
    return network.path.rpartition("/")[2]


def name_of(network: Resource) -> str:
    """libvirt's name: our own networks' follows from the id, the host's are what the admin called them."""
    return str(network.internal.get("host_network") or network_name(uuid_of(network)))
