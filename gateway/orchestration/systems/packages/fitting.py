"""Wishes of a package that this host cannot fulfil: another value is taken, or none, and people are told.

A System that is imported comes to where others live already: its ranges and addresses may be in use, its classes
unknown. A template is kept as it is, for what is made by it says so itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gateway.cimi.edge import SYMBOL
from gateway.errors import GatewayError, Invalid
from gateway.orchestration.common.hosts import translating
from gateway.orchestration.common.names import HOLDERS
from gateway.orchestration.common.room import Room
from gateway.orchestration.networks.address_create import address_range, address_ranges, hostname_scope
from gateway.orchestration.networks.address_ranges import AddressRange, parse_ip
from gateway.orchestration.networks.create import check_mtu, forward_of, ranges_in_use
from gateway.orchestration.networks.ranges import ATTRIBUTES, Range, as_range, promised_ranges, wished_range
from gateway.orchestration.networks.reservations import claim_value
from gateway.orchestration.networks.spec import class_of_service
from gateway.store.claims import holder_of
from gateway.store.model import Document

VERSIONS = {attribute: version for version, attribute in ATTRIBUTES.items()}


@dataclass(frozen=True, slots=True)
class Place:
    """A Network as far as Addresses in it can be judged. ``path`` None: it is yet to be made."""

    key: str
    versions: frozenset[int]
    ranges: tuple[AddressRange, ...]
    path: str | None = None


class Fitting:
    """The fitting of one import. ``notes`` are what is not as in the package, for people."""

    def __init__(self, room: Room, job: str) -> None:
        self.notes: list[str] = []
        self.remarks: list[str] = []
        """The same of ranges and MAC addresses, which were seldom anybody's wish."""
        self._room = room
        self._job = job
        self._settings = next(iter(room.hypervisors.values()))
        self._taken: list[Range] = []
        self._promised: set[tuple[str, str]] = set()
        """Addresses and names of Networks, and MACs of ports, that the package gets itself."""

    async def fit(self, template: Document) -> Document:
        """Return a SystemTemplate's document, with what can be had."""
        fitted = copy.deepcopy(template)
        driver = self._room.drivers[next(iter(self._room.hypervisors))]
        with translating():
            self._taken = [as_range(entry) for entry in await driver.networks.occupied_ranges()]
        async with self._room.store.transaction() as transaction:
            self._taken += await ranges_in_use(transaction)
        await self._level(fitted, "")
        return fitted

    async def _level(self, template: Document, scope: str) -> None:
        descriptors: list[Document] = template.get("componentDescriptors") or []
        places = {}
        for descriptor in of_kind(descriptors, "Network"):
            places[f"{SYMBOL}{descriptor['name']}"] = self._network(descriptor, scope)
        for descriptor in of_kind(descriptors, "Volume"):
            self._volume(descriptor)
        ports = {}
        for descriptor in of_kind(descriptors, "NetworkPort"):
            network = descriptor["networkPortTemplate"].get("network") or {}
            ports[f"{SYMBOL}{descriptor.get('name')}"] = network.get("href", "")
            await self._port(descriptor)
        addresses = list(of_kind(descriptors, "Address"))
        gone = [descriptor for descriptor in addresses if not await self._address(descriptor, places)]
        names = {f"{SYMBOL}{descriptor['name']}" for descriptor in gone if "name" in descriptor}
        for descriptor in of_kind(descriptors, "Machine"):
            await self._machine(descriptor, places, ports, names)
        template["componentDescriptors"] = [descriptor for descriptor in descriptors if descriptor not in gone]
        for place, descriptor in enumerate(of_kind(descriptors, "System")):
            await self._level(descriptor["systemTemplate"], f"{scope}{place}/")

    # Networks, ports and Volumes

    def _network(self, descriptor: Document, scope: str) -> Place:
        config = descriptor["networkTemplate"]["networkConfig"]
        who, key = f"Network {descriptor['name'][:60]!r}", f"{scope}{descriptor['name']}"
        self._try(config, "classOfService", who, lambda text: class_of_service(text, self._settings, "classOfService"))
        forward = forward_of(config["networkType"], self._settings)
        self._try(config, "mtu", who, lambda mtu: check_mtu(mtu, forward, self._settings, "mtu"))
        ranges = []
        for attribute in VERSIONS:
            wished = self._range(config, attribute, who)
            ranges += [address_range(str(wished))] if wished is not None else []
        versions = frozenset(as_range(pool.range).version for pool in self._settings.address_pools)
        return Place(key, versions if forward != "bridge" else frozenset(), tuple(ranges))

    def _range(self, config: Document, attribute: str, who: str) -> Range | None:
        """Return the wished range, which nobody else gets by this package; None where it cannot be had."""
        if attribute not in config:
            return None
        pools, version = self._settings.address_pools, VERSIONS[attribute]
        taken = [*self._taken, *promised_ranges(self._room.promises)]
        try:
            wished = wished_range(config[attribute], version, pools, taken, attribute)
        except GatewayError as error:
            self.remarks.append(f"{config.pop(attribute)[:60]} of {who} is replaced by another range: {error.message}")
            return None
        self._room.promises.add(self._job, (str(wished),))
        return wished

    async def _port(self, descriptor: Document) -> None:
        """Take over the MAC address where it is free, as those of interfaces are."""
        template = descriptor["networkPortTemplate"]
        who = f"NetworkPort {str(descriptor.get('name'))[:60]!r}"
        config = template.get("networkPortConfig") or {}
        self._try(config, "classOfService", who, lambda text: class_of_service(text, self._settings, "classOfService"))
        mac = template.get("macAddress", "").lower().replace("-", ":")
        if not mac:
            return
        if not await free_macs(self._room, self._job, {mac}) or ("", mac) in self._promised:
            self.remarks.append(f"{template.pop('macAddress')[:40]} of {who} is replaced by another MAC: it is in use")
        self._promised.add(("", mac))

    def _volume(self, descriptor: Document) -> None:
        config = descriptor["volumeTemplate"]["volumeConfig"]
        pools = [pool for settings in self._room.hypervisors.values() for pool in settings.every_pool]
        kinds = {kind for pool in pools for kind in pool.types}

        def demand_taken(kind: str) -> None:
            if kind not in kinds:
                raise Invalid(f"no pool takes {kind[:200]!r}", "type")

        self._try(config, "type", f"Volume {descriptor['name'][:60]!r}", demand_taken)

    def _try(self, config: Document, attribute: str, who: str, check: Callable[[Any], object]) -> None:
        """Leave the wish out, and tell why, where it cannot be."""
        if attribute not in config:
            return
        try:
            check(config[attribute])
        except GatewayError as error:
            value = str(config.pop(attribute))[:60]
            self.notes.append(f"{attribute} {value} of {who}: {error.message.removeprefix(f'{attribute}: ')}")

    # Addresses

    async def _address(self, descriptor: Document, places: dict[str, Place]) -> bool:
        template = descriptor["addressTemplate"]
        href = (template.get("network") or {}).get("href", "")
        who = f"Address {str(descriptor.get('name') or template.get('ip'))[:60]!r}"
        return await self._reservable(template, await self._place(places, href), who)

    async def _machine(
        self, descriptor: Document, places: dict[str, Place], ports: dict[str, str], gone: set[str]
    ) -> None:
        for entry in descriptor["machineTemplate"].get("networkInterfaces") or []:
            port = (entry.get("networkPort") or {}).get("href", "")
            href = ports.get(port) or (entry.get("network") or {}).get("href", "")
            who = f"an Address of Machine {descriptor['name'][:60]!r}"
            place, given = await self._place(places, href), entry.get("addresses") or []
            kept = [address for address in given if address.get("href") not in gone]
            kept = [address for address in kept if "href" in address or await self._reservable(address, place, who)]
            if given:
                entry["addresses"] = kept

    async def _place(self, places: dict[str, Place], href: str) -> Place | None:
        """Return what can be said of a Network; None for one that its own create will refuse."""
        if href in places or href.startswith(SYMBOL):
            return places.get(href)
        network = await self._room.store.get(href)
        if network is None:
            return None
        ranges = address_ranges(network)
        return Place(href, frozenset(entry.version for entry in ranges), ranges, href)

    async def _reservable(self, template: Document, place: Place | None, who: str) -> bool:
        """Return whether there can be such an Address; it loses the ``ip`` and the ``hostname`` that cannot be had."""
        if place is None:
            return True
        version = _version(template)
        if not place.versions or (version is not None and version not in place.versions):
            protocol = f"IPv{version}" if version is not None else "reserved"
            self.notes.append(f"{who}: there are no {protocol} addresses in its Network here")
            return False
        if "ip" in template:
            await self._ip(template, place, who)
        if "hostname" in template:
            await self._hostname(template, place, version, who)
        return True

    async def _ip(self, template: Document, place: Place, who: str) -> None:
        ip = parse_ip(template["ip"], "ip")
        claim = (place.key, claim_value(ip))
        entry = next((given for given in place.ranges if given.version == ip.version), None)
        reason = "the range of its Network is another one here" if entry is None else ""
        try:
            if entry is not None:
                entry.check(ip, "ip")
        except Invalid as error:
            reason = error.message.removeprefix("ip: ")
        if claim in self._promised or (not reason and await self._held(place.path, claim[1])):
            reason = "it is in use or reserved"
        self._promised.add(claim)
        if reason:
            template["protocol"] = template.get("protocol") or f"IPv{ip.version}"
            self.notes.append(f"{who}: {template.pop('ip')[:60]} is replaced by another: {reason}")

    async def _hostname(self, template: Document, place: Place, version: int | None, who: str) -> None:
        name, of = template["hostname"], version or min(place.versions)
        scope = hostname_scope(place.path or place.key, of)
        if (scope, name) in self._promised or await self._held(scope if place.path else None, name):
            self.notes.append(f"{who}: it has no name here, since {template.pop('hostname')[:60]} is another's")
        self._promised.add((scope, name))

    async def _held(self, scope: str | None, value: str) -> bool:
        """Return whether somebody has a value; nobody can in a Network that is yet to be made."""
        if scope is None:
            return False
        async with self._room.store.transaction() as transaction:
            return await holder_of(transaction, scope, value) is not None


async def free_macs(room: Room, job: str, wished: Iterable[str]) -> set[str]:
    """Return the MAC addresses that nobody has; from now on they are this import's."""
    async with room.store.transaction() as transaction:
        free = {mac for mac in wished if not any([await transaction.find(kind, "macAddress", mac) for kind in HOLDERS])}
    free -= room.promises.of_others(job)
    room.promises.add(job, free)
    return free


def wishes_of(template: Document) -> Iterator[str]:
    """Yield the ranges and MAC addresses that a template asks for, in Systems inside too."""
    for descriptor in template.get("componentDescriptors") or []:
        config = (descriptor.get("networkTemplate") or {}).get("networkConfig") or {}
        port = descriptor.get("networkPortTemplate") or {}
        interfaces = (descriptor.get("machineTemplate") or {}).get("networkInterfaces") or []
        yield from (config[attribute] for attribute in VERSIONS if attribute in config)
        yield from (entry["macAddress"] for entry in (port, *interfaces) if "macAddress" in entry)
        yield from wishes_of(descriptor.get("systemTemplate") or {})


def generalized(template: Document) -> Document:
    """Return the template of what was a System, less what only one at a time can have: ranges, addresses, MACs."""
    general = copy.deepcopy(template)
    for descriptor in general.get("componentDescriptors") or []:
        config = (descriptor.get("networkTemplate") or {}).get("networkConfig") or {}
        for attribute in VERSIONS:
            config.pop(attribute, None)
        for name in ("addressTemplate", "networkPortTemplate"):
            _loosened(descriptor.get(name) or {})
        for entry in (descriptor.get("machineTemplate") or {}).get("networkInterfaces") or []:
            for given in entry.get("addresses") or []:
                _loosened(given)
        if "systemTemplate" in descriptor:
            descriptor["systemTemplate"] = generalized(descriptor["systemTemplate"])
    return general


def _loosened(template: Document) -> None:
    template.pop("macAddress", None)
    ip = template.pop("ip", None)
    if ip is not None and "protocol" not in template:
        template["protocol"] = f"IPv{parse_ip(ip, 'ip').version}"


def of_kind(descriptors: list[Document], kind: str) -> Iterator[Document]:
    """Return the descriptors of one type."""
    return (descriptor for descriptor in descriptors if descriptor["type"] == kind)


def _version(template: Document) -> int | None:
    if "protocol" in template:
        return int(template["protocol"][-1])
    return parse_ip(template["ip"], "ip").version if "ip" in template else None
