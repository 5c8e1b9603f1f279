"""The outcome of a package by a configuration and the values that were chosen: guests with their hardware."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import (
    Configuration,
    Content,
    Envelope,
    Hardware,
    Item,
    Product,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.names import CONTROLLERS, DISKS, DRIVES, NEEDLESS, Device
from gateway.ovf.properties import Value, chosen_values, filled_in
from gateway.ovf.units import bytes_of

FAMILIES = ("kvm", "qemu", "vmx-", "xen-", "virtualbox-")
"""Virtual hardware that a Machine can stand for."""
MEMORY_UNITS = "byte * 2^20"
LAX = "the action's property 'ovf.lax' with the value 'true'"
"""How an importer says that required parts may be left out, for people."""
HOST_RESOURCE = re.compile(r"(?:ovf:)?/{0,2}(disk|file)/(.+)")
MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")


@dataclass(frozen=True, slots=True)
class Drive:
    """A disk of a guest, in the order of controllers and places: the first is booted from. ``capacity`` in bytes."""

    disk: str | None
    """Id of the Disk; None for an empty one which only this guest has."""
    capacity: int


@dataclass(frozen=True, slots=True)
class Port:
    """A network card. ``mac`` and ``model`` are empty where the package does not say."""

    network: str
    mac: str = ""
    model: str = ""
    connected: bool = True


@dataclass(frozen=True, slots=True)
class Guest:
    """A virtual system as it is to be made. ``memory`` in bytes; ``media`` are ids of the Files in its CD drives."""

    system: VirtualSystem
    cpus: int
    memory: int
    drives: tuple[Drive, ...] = ()
    ports: tuple[Port, ...] = ()
    media: tuple[str, ...] = ()
    transports: frozenset[str] = frozenset()
    values: dict[str, Value] = field(default_factory=dict)
    """Its own properties, and those of the collection around it (DSP0243 clause 10.2)."""
    notes: tuple[str, ...] = ()
    """What of its hardware was put aside, for people."""


@dataclass(frozen=True, slots=True)
class Group:
    """A collection as it is to be made: its guests and groups, and its own properties."""

    collection: VirtualSystemCollection
    parts: tuple[Guest | Group, ...]
    values: dict[str, Value] = field(default_factory=dict)

    def guests(self) -> Iterable[Guest]:
        """Yield all guests, those of nested groups included."""
        for part in self.parts:
            if isinstance(part, Guest):
                yield part
            else:
                yield from part.guests()


def deploy(
    envelope: Envelope,
    configuration: str | None = None,
    given: Mapping[str, str] | None = None,
    *,
    lax: bool = False,
) -> Guest | Group:
    """Return the guests of a package. Raises PackageInvalid, naming the part, for what does not fit or cannot be had.

    ``lax``: required sections, elements and devices that are not known here are left out (against clause 7.3).
    """
    if envelope.unsupported and not lax:
        raise PackageInvalid(
            f"the package demands {envelope.unsupported[0]}, which is not supported; it may be left out only where it "
            f'says ovf:required="false", or where the importer wants so: {LAX}'
        )
    chosen = _configuration(envelope.configurations, configuration)
    wanted = given or {}
    names = _names(envelope.content)
    stranger = next((name for name in wanted if name not in names), None)
    if stranger is not None:
        offered = ", ".join(sorted(names)[:20]) or "none"
        raise PackageInvalid(f"the package has no property {stranger[:60]!r}; it has {offered}")
    everything = _everything(envelope.content, chosen, wanted)
    return _Deployment(envelope, chosen, wanted, everything, lax=lax).part(envelope.content, {})


def _configuration(choices: tuple[Configuration, ...], wanted: str | None) -> str | None:
    """Return the configuration that is wanted, else the default: the one that says so, else the first (clause 9.8)."""
    if wanted is not None and wanted not in [choice.id for choice in choices]:
        offered = ", ".join(choice.id for choice in choices) or "none"
        raise PackageInvalid(f"the package has no configuration {wanted[:60]!r}; it offers {offered}")
    if wanted is not None or not choices:
        return wanted
    return next((choice.id for choice in choices if choice.default), choices[0].id)


def _products(content: Content) -> Iterable[Product]:
    yield from content.products
    if isinstance(content, VirtualSystemCollection):
        for part in content.content:
            yield from _products(part)


def _names(content: Content) -> set[str]:
    return {product.name_of(declared.key) for product in _products(content) for declared in product.properties}


def _everything(content: Content, configuration: str | None, given: Mapping[str, str]) -> dict[str, Value]:
    """Return the values that the capacity of a Disk may depend on: those of the top win."""
    return {
        **chosen_values(_products(content), configuration, given),
        **chosen_values(content.products, configuration, given),
    }


class _Deployment:
    def __init__(
        self,
        envelope: Envelope,
        configuration: str | None,
        given: Mapping[str, str],
        everything: dict[str, Value],
        *,
        lax: bool,
    ) -> None:
        self._lax = lax
        self._envelope = envelope
        self._configuration = configuration
        self._given = given
        self._everything = everything
        self._networks = frozenset(network.name for network in envelope.networks)

    def part(self, content: Content, around: dict[str, Value]) -> Guest | Group:
        own = chosen_values(content.products, self._configuration, self._given)
        if isinstance(content, VirtualSystem):
            return self._guest(content, {**around, **own})
        return Group(content, tuple(self.part(part, own) for part in content.content), own)

    def _guest(self, system: VirtualSystem, values: dict[str, Value]) -> Guest:
        who = f"VirtualSystem {system.id[:60]!r}"
        hardware = _hardware(system, who)
        items = chosen_items(hardware.items, self._configuration)
        notes = _demand_possible(items, who, lax=self._lax)
        processors = [item for item in items if item.type == Device.PROCESSOR]
        cpus = sum(_count(item, filled_in(item.quantity or "1", values, who), who) for item in processors) or 1
        return Guest(
            system=system,
            cpus=cpus,
            memory=self._memory(items, values, who),
            drives=tuple(self._drive(item, values, who) for item in in_order(items, DISKS)),
            ports=tuple(self._port(item, who) for item in items if item.type == Device.ETHERNET),
            media=tuple(self._media(in_order(items, DRIVES), who)),
            transports=hardware.transports,
            values=values,
            notes=notes,
        )

    def _memory(self, items: tuple[Item, ...], values: dict[str, Value], who: str) -> int:
        where = f"the memory of {who}"
        items_of_memory = [item for item in items if item.type == Device.MEMORY]
        quantities = [(filled_in(item.quantity, values, where), item.units or MEMORY_UNITS) for item in items_of_memory]
        memory = sum(bytes_of(quantity, units, where) for quantity, units in quantities)
        if memory <= 0:
            raise PackageInvalid(f"{who} has no memory")
        return memory

    def _drive(self, item: Item, values: dict[str, Value], who: str) -> Drive:
        where = f"the disk {item.name or item.instance_id!r} of {who}"
        kind, identity = host_resource(item, where)
        if kind == "file":
            raise PackageInvalid(f"{where} is a File; disks are Disks of the DiskSection")
        if kind is None:
            return Drive(None, bytes_of(filled_in(item.quantity, values, where), item.units or "byte", where))
        disk = self._envelope.disk(identity)
        if disk is None:
            raise PackageInvalid(f"{where} is Disk {identity[:60]!r}, which the DiskSection does not have")
        capacity = filled_in(disk.capacity, ChainMap(values, self._everything), f"Disk {disk.id!r}")
        size = bytes_of(capacity, disk.units, f"the capacity of Disk {disk.id!r}")
        if size <= 0:
            raise PackageInvalid(f"Disk {disk.id!r} has a capacity of 0")
        return Drive(disk.id, disk.size(size))

    def _port(self, item: Item, who: str) -> Port:
        where = f"the network card {item.name or item.instance_id!r} of {who}"
        network = item.connections[0] if item.connections else ""
        if network not in self._networks:
            raise PackageInvalid(f"{where} is connected to {network[:60]!r}, which the NetworkSection does not have")
        mac = item.address.replace("-", ":").lower() if MAC.fullmatch(item.address) else ""
        return Port(network, mac, item.sub_type.split(" ")[0], item.allocated)

    def _media(self, items: tuple[Item, ...], who: str) -> Iterable[str]:
        for item in items:
            where = f"the drive {item.name or item.instance_id!r} of {who}"
            kind, identity = host_resource(item, where)
            if kind == "file" and self._envelope.file(identity) is None:
                raise PackageInvalid(f"{where} holds the file {identity[:60]!r}, which References do not name")
            disk = self._envelope.disk(identity) if kind == "disk" else None
            file = identity if kind == "file" else disk.file if disk is not None else None
            if file is not None:
                yield file


def _hardware(system: VirtualSystem, who: str) -> Hardware:
    """Return the first of several sections for a family that a Machine can stand for, else the first (clause 8.2)."""
    if not system.hardware:
        raise PackageInvalid(f"{who} has no VirtualHardwareSection")
    fitting = (entry for entry in system.hardware if any(kind.lower().startswith(FAMILIES) for kind in entry.types))
    return next(fitting, system.hardware[0])


def chosen_items(items: tuple[Item, ...], configuration: str | None) -> tuple[Item, ...]:
    """Return the items of a configuration.

    The last of several with one InstanceID counts, and no range does where there is a value.
    """
    chosen: dict[str, Item] = {}
    for number, item in enumerate(items):
        if item.configurations and configuration not in item.configurations:
            continue
        identity = item.instance_id or f"#{number}"
        if identity not in chosen or item.bound not in ("min", "max"):
            chosen[identity] = item
    return tuple(chosen.values())


def in_order(items: tuple[Item, ...], types: frozenset[Device]) -> tuple[Item, ...]:
    """Return the devices by the order of their controllers, and of their places there; those without one are last."""
    controllers = [item.instance_id for item in items if item.type in CONTROLLERS]
    ranks = {identity: rank for rank, identity in reversed([*enumerate(controllers)])}

    def place(numbered: tuple[int, Item]) -> tuple[int, int, int]:
        number, item = numbered
        rank = ranks.get(item.parent, len(controllers))
        address = int(item.address_on_parent[:9]) if item.address_on_parent[:9].isdecimal() else 10**9
        return rank, address, number

    devices = [(number, item) for number, item in enumerate(items) if item.type in types]
    return tuple(item for _number, item in sorted(devices, key=place))


def host_resource(item: Item, where: str) -> tuple[str | None, str]:
    """Return ``disk`` or ``file`` and its id, as packages of all ages write it; None and '' when there is none.

    Raises PackageInvalid for a HostResource that is neither.
    """
    if not item.host_resources:
        return None, ""
    match = HOST_RESOURCE.fullmatch(item.host_resources[0])
    if match is None:
        raise PackageInvalid(f"{where} has the HostResource {item.host_resources[0][:60]!r}; 'ovf:/disk/ID' is known")
    return match.group(1), match.group(2)


def _count(item: Item, quantity: str, who: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,4}", quantity):
        raise PackageInvalid(f"{who} has {quantity[:20]!r} processors")
    return int(quantity)


def _demand_possible(items: tuple[Item, ...], who: str, *, lax: bool) -> tuple[str, ...]:
    """Return the devices that are left out, for people. Raises PackageInvalid for a required one unless ``lax``."""
    used = CONTROLLERS | DISKS | DRIVES | {Device.PROCESSOR, Device.MEMORY, Device.ETHERNET}
    aside = [item for item in items if item.type not in used]
    for item in aside:
        if item.required and item.type not in NEEDLESS and not lax:
            raise PackageInvalid(
                f"{who} demands the device {item.name[:60] or item.instance_id!r} of ResourceType {item.type}, "
                f"which a Machine cannot have; to leave it out: {LAX}"
            )
    named = ((item.name[:60] or item.instance_id[:60], item.type) for item in aside)
    return tuple(f"device {name!r} of {who} (ResourceType {kind})" for name, kind in named)
