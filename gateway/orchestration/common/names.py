"""The names that Networks have in libvirt."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import network_name
from gateway.store.kept import Kept
from gateway.store.model import Resource


@dataclass(frozen=True)
class NamedByHost(Kept):
    """What an admin called a network of the host's own."""

    host_network: str | None = None


def uuid_of(network: Resource) -> str:
    """Return the UUID of the libvirt network, which is the Network's id."""
    return network.path.rpartition("/")[2]


def name_of(network: Resource) -> str:
    """Return libvirt's name: our own networks' follows from the id, the host's are what the admin called them."""
    return NamedByHost.of(network).host_network or network_name(uuid_of(network))
