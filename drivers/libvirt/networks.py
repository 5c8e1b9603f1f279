"""Virtual networks as libvirt has them."""

from __future__ import annotations

import libvirt
from lxml import etree

from drivers.base import NetworkFacts
from drivers.libvirt.connection import Connection
from drivers.libvirt.errors import read_each


class Networks:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def every(self) -> tuple[NetworkFacts, ...]:
        return await self._connection.call(
            lambda handle: read_each(handle.listAllNetworks(), _read, libvirt.VIR_ERR_NO_NETWORK)
        )

    async def read(self, name: str) -> NetworkFacts:
        return await self._connection.call(lambda handle: _read(handle.networkLookupByName(name)))


def _read(network: libvirt.virNetwork) -> NetworkFacts:
    root = etree.fromstring(network.XMLDesc(0))
    bridge, forward, mtu = root.find("bridge"), root.find("forward"), root.find("mtu")
    return NetworkFacts(
        name=network.name(),
        active=bool(network.isActive()),
        bridge=bridge.get("name") if bridge is not None else None,
        forward=(forward.get("mode") or "nat") if forward is not None else "isolated",
        mtu=int(mtu.get("size") or 0) or None if mtu is not None else None,
    )
