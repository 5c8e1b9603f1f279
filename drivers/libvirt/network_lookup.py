"""The way to find a network in libvirt."""

from __future__ import annotations

import libvirt

from drivers.base import network_uuid


def network_of(handle: libvirt.virConnect, name: str) -> libvirt.virNetwork:
    """Return the network of this name; a gateway's own is looked up by the UUID that the name tells.

    Looked up by name, libvirt asks each network in turn, and waits for every one that is being started. Raises
    libvirtError.
    """
    uuid = network_uuid(name)
    return handle.networkLookupByName(name) if uuid is None else handle.networkLookupByUUIDString(uuid)
