"""Packet filters of networks through libvirt's nwfilter."""

from __future__ import annotations

import time

import libvirt
from lxml import etree

from drivers.base.filters import Reach, filter_name, fixed_filter_name
from drivers.libvirt.connection import Connection
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.filter_xml import PREFIX, filter_xml, fixed_xml, same_rules
from drivers.libvirt.guards import guards

DEADLINE = 300.0
"""libvirt rewrites the rules of each running interface one after the other, in several calls of the packet filter."""

LOOK_AGAIN = 5.0
"""Seconds for which the shared filters are believed to be there."""


class Filters:
    """The part ``filters`` of the driver (drivers.base.FilterCalls)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._guarded = -LOOK_AGAIN

    async def define(self, reach: Reach) -> bool:
        """Define the network's filters where libvirt has others, after those that all of them refer to."""
        wanted = [filter_xml(reach), *([fixed_xml(reach)] if reach.fixed else [])]

        def work(handle: libvirt.virConnect) -> bool:
            changed = [_ensure(handle, entry) for entry in wanted]
            return any(changed)

        await self.ensure_guards()
        return await self._connection.call(work, deadline=DEADLINE)

    async def ensure_guards(self) -> None:
        """Define what all other filters and interfaces refer to; a look every few seconds is enough."""

        def work(handle: libvirt.virConnect) -> None:
            for guard in guards():
                _ensure(handle, guard)

        if time.monotonic() - self._guarded > LOOK_AGAIN:
            await self._connection.call(work, deadline=DEADLINE)
            self._guarded = time.monotonic()

    async def delete(self, network: str) -> None:
        """Remove the network's filters, first the one that refers to the other."""

        def work(handle: libvirt.virConnect) -> None:
            for name in (fixed_filter_name(network), filter_name(network)):
                nwfilter = _lookup(handle, name)
                if nwfilter is not None:
                    nwfilter.undefine()

        await self._connection.call(work)

    async def list_networks(self) -> tuple[str, ...]:
        """Return the UUIDs of the networks which have a filter of ours.

        They are read by names alone: listAllNWFilters locks all filters at once inside libvirtd, and a guest that
        starts locks its own and then those which that refers to. The two can wait for each other, and libvirtd never
        answers again (libvirt 9.0).
        """

        def work(handle: libvirt.virConnect) -> tuple[str, ...]:
            names = handle.listNWFilters()
            return tuple(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))

        return await self._connection.call(work)


def _lookup(handle: libvirt.virConnect, name: str) -> libvirt.virNWFilter | None:
    try:
        return handle.nwfilterLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_NWFILTER:
            raise
        return None


def _ensure(handle: libvirt.virConnect, wanted: etree._Element) -> bool:
    """Define the filter unless it is so already, and return whether it had to be."""
    if _is_so(handle, wanted):
        return False
    handle.nwfilterDefineXML(etree.tostring(wanted, encoding="unicode"))
    return True


def _is_so(handle: libvirt.virConnect, wanted: etree._Element) -> bool:
    nwfilter = _lookup(handle, str(wanted.get("name")))
    return nwfilter is not None and same_rules(etree.fromstring(nwfilter.XMLDesc(0), PARSER), wanted)
