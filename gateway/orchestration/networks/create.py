"""From a NetworkCreate to a checked new Network: nothing is written, everything is looked at (DSP0263 5.17.2)."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import HypervisorSettings
from gateway.cimi.network import LEAST_MTU
from gateway.errors import Conflict, Forbidden, Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.hosts import demand_up, translating
from gateway.orchestration.common.names import uuid_of
from gateway.orchestration.common.permissions import changeable
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.membership import check_routed, join
from gateway.orchestration.networks.ranges import (
    ATTRIBUTES,
    Range,
    as_range,
    free_range,
    promised_ranges,
    wished_range,
)
from gateway.orchestration.networks.reach import CLOSED
from gateway.orchestration.networks.spec import bridge_name, class_of_service
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

LEAST_MTU_OF_IPV6 = 1280
WHERE = "networkTemplate.networkConfig"
GROUP = "networkTemplate.forwardingGroup"


class NetworkCreate:
    """The checks and decisions of a create. ``make`` comes first, then ``place`` inside a transaction."""

    def __init__(self, room: Room, caller: Caller, document: Document) -> None:
        self.room = room
        self.caller = caller
        self.document = document
        self.config: Document = {}
        self.occupied: tuple[Range, ...] = ()
        self.group: Resource | None = None

    async def make(self) -> Resource:
        """Return the Network in CREATING, without its ranges. Raises what the request deserves."""
        template = await self._template()
        self.config = await self._config(template)
        host, settings = next(iter(self.room.hypervisors.items()))
        driver = self.room.drivers[host]
        demand_up(driver)
        kind = self.config.get("networkType", "PRIVATE")
        forward = forward_of(kind, settings)
        check_mtu(self.config.get("mtu"), forward, settings, f"{WHERE}.mtu")
        service = class_of_service(self.config.get("classOfService"), settings, f"{WHERE}.classOfService")
        with translating():
            self.occupied = tuple(as_range(entry) for entry in await driver.networks.occupied_ranges())
        document: Document = {
            **{name: self.document[name] for name in OWN if name in self.document},
            "state": "CREATING",
            "networkType": kind,
            "mtu": self.config.get("mtu"),
            "classOfService": service,
        }
        document = {name: value for name, value in document.items() if value is not None}
        network = new_resource("Network", self.caller.project, document)
        bridge = settings.public_bridge if forward == "bridge" else bridge_name(uuid_of(network))
        state = template.get("initialState", "STARTED")
        wishes = await requested_monitoring(self.room, self.caller, template, "Network", "networkTemplate.")
        kept = KeptNetwork(host=host, forward=forward, bridge=bridge, initial_state=state)
        network = wishes.on(kept.on(network))
        await self._check_group(template, network)
        return network

    async def _check_group(self, template: Document, network: Resource) -> None:
        """Keep the ForwardingGroup that the Network is to join. Raises Invalid when it cannot."""
        href = template.get("forwardingGroup", {}).get("href")
        if href is None:
            return
        self.group = await resolve(self.room.store, self.caller, href, ("ForwardingGroup",), GROUP)
        if not changeable(self.caller, self.group):
            raise Invalid("the ForwardingGroup belongs to somebody else", GROUP)
        check_routed(network, GROUP)

    async def place(self, transaction: Transaction, network: Resource) -> Resource:
        """Return the Network with ranges that nobody else has. Raises Conflict when none is left.

        The ranges are found under the store's lock.
        """
        kept = KeptNetwork.of(network)
        settings = self.room.hypervisors[kept.host]
        if kept.forward == "bridge":
            return network
        taken = [*self.occupied, *await ranges_in_use(transaction)]
        chosen = [self._range(version, settings, taken) for version in (4, 6)]
        ranges = [entry for entry in chosen if entry is not None]
        placed = network.with_document(**{ATTRIBUTES[entry.version]: str(entry) for entry in ranges})
        return replace(kept, ranges=tuple(str(entry) for entry in ranges)).on(placed)

    async def join(self, transaction: Transaction, network: Resource) -> Resource:
        """Return the inserted Network in the group that was asked for. Raises Conflict when that cannot be any more."""
        if self.group is None:
            return network
        group = await transaction.get(self.group.path)
        if group is None:
            raise Conflict(f"{GROUP}: the ForwardingGroup is gone")
        return (await join(transaction, group, network, GROUP))[1]

    def _range(self, version: int, settings: HypervisorSettings, taken: list[Range]) -> Range | None:
        """Return the range of a version of IP: the wished one, else a free one; None where no pool has any."""
        attribute = ATTRIBUTES[version]
        if attribute in self.config:
            where = f"{WHERE}.{attribute}"
            return wished_range(self.config[attribute], version, settings.address_pools, taken, where)
        return free_range(settings.address_pools, version, [*taken, *promised_ranges(self.room.promises)])

    async def _template(self) -> Document:
        given = self.document["networkTemplate"]
        template: Document = {}
        if "href" in given:
            kinds = ("NetworkTemplate",)
            referenced = await resolve(self.room.store, self.caller, given["href"], kinds, "networkTemplate")
            template = referenced.document
        return merged(template, given)

    async def _config(self, template: Document) -> Document:
        given = template.get("networkConfig")
        if given is None:
            raise Invalid("is missing", WHERE)
        config: Document = {}
        if "href" in given:
            kinds = ("NetworkConfiguration",)
            config = (await resolve(self.room.store, self.caller, given["href"], kinds, WHERE)).document
        return merged(config, given)


def forward_of(kind: str, settings: HypervisorSettings) -> str:
    """Return how a Network of this type leads on. Raises Forbidden when the configuration offers no public ones."""
    if kind == "PRIVATE":
        return CLOSED
    if settings.public_networks == "none":
        raise Forbidden(f"{WHERE}.networkType: this gateway makes PRIVATE Networks only; use one of the host's own")
    return settings.public_networks


def check_mtu(mtu: int | None, forward: str, settings: HypervisorSettings, where: str) -> None:
    """Raise Invalid when a Network cannot have this MTU, in bytes."""
    if mtu is None:
        return
    if forward == "bridge":
        raise Invalid(f"is what the host's bridge {settings.public_bridge} has, and cannot be chosen", where)
    six = any(as_range(pool.range).version == 6 for pool in settings.address_pools)
    least = LEAST_MTU_OF_IPV6 if six else LEAST_MTU
    if not least <= mtu <= settings.largest_mtu:
        raise Invalid(f"must be between {least} and {settings.largest_mtu} bytes, not {mtu}", where)


async def ranges_in_use(transaction: Transaction) -> list[Range]:
    """Return the ranges of all Networks, also of such as are being made or removed now."""
    return [as_range(entry) for entry in await transaction.internal_values("Network", "ranges")]
