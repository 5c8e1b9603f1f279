"""From what a package holds to the component descriptors of a SystemTemplate (DSP0263 annex A)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from gateway.cimi.edge import SYMBOL
from gateway.cimi.network import NETWORK_TYPES
from gateway.orchestration.systems.blueprint import DESCRIBED, KINDS
from gateway.orchestration.systems.order import START_ORDER, STARTUP
from gateway.orchestration.systems.packages.carrying import some
from gateway.orchestration.systems.packages.composing_machines import (
    Bytes,
    Given,
    MachineComposition,
    on_usual_network,
)
from gateway.orchestration.systems.packages.levels import Level, VirtualMachine, content_of, level_of
from gateway.orchestration.systems.packages.scope import Names, Scope, check_texts
from gateway.orchestration.systems.packages.words import (
    EULA,
    IDENTITY,
    OWN_CLASS,
    PREFIX,
    PRODUCT,
    STARTUP_WORDS,
    SYSTEM,
    UNATTACHED,
)
from gateway.ovf.deployment import Group, Guest
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Content, Envelope, Network, Product, StartupItem, VirtualSystem
from gateway.ovf.names import TEMPLATE_SECTION
from gateway.ovf.properties import Value
from gateway.store.model import Document

LONGEST_NAME = 200
HIDDEN = frozenset({UNATTACHED, "user-data"})
"""Properties that nobody reads: what is said elsewhere, and what CIMI keeps to the guest."""


def needed_bytes(envelope: Envelope, deployed: Guest | Group) -> tuple[Bytes, ...]:
    """Return the Files that become images, each once, however many guests use it."""
    needed: dict[str, Bytes] = {}
    for guest in guests_of(deployed):
        for place, drive in enumerate(guest.drives):
            disk = envelope.disk(drive.disk) if drive.disk is not None else None
            if disk is not None and disk.file is not None:
                kind = "VolumeImage" if place else "MachineImage"
                name = f"{name_of(guest)} disk {place + 1}"
                one = Bytes(kind, disk.file, name, drive.capacity, disk.format, envelope.below(disk))
                needed.setdefault(one.key, one)
        for number, file in enumerate(guest.media, 1):
            one = Bytes("VolumeImage", file, f"{name_of(guest)} medium {number}")
            needed.setdefault(one.key, one)
    for identity in unattached(deployed):
        disk = envelope.disk(identity)
        if disk is not None and disk.file is not None:
            one = Bytes("VolumeImage", disk.file, disk.name or disk.id, None, disk.format, envelope.below(disk))
            needed.setdefault(one.key, one)
    return tuple(needed.values())


def guests_of(deployed: Guest | Group) -> Iterable[Guest]:
    """Return all guests of a package."""
    return (deployed,) if isinstance(deployed, Guest) else deployed.guests()


def name_of(part: Guest | Group) -> str:
    """Return what a part of a package is called."""
    content = content_of(part)
    return (content.name or content.id)[:LONGEST_NAME]


@dataclass
class Composition:
    """The SystemTemplate that one package becomes.

    ``images``: key of ``Bytes`` to the image; ``networks``: Networks that are there, by the package's names. ``sizes``
    are the bytes of images, by their keys, for volumes whose size the package does not say.
    """

    envelope: Envelope
    deployed: Guest | Group
    images: Mapping[str, str]
    networks: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    stopped: bool = False
    """Whether Machines stay off, whatever the package says."""
    notes: list[str] = field(default_factory=list)
    """What of the package's own templates cannot be had, for people; whole after ``template``."""

    @cached_property
    def _top(self) -> Level:
        return level_of(self.deployed)

    def template(self) -> Document:
        """Return the SystemTemplate's document, with its own name, description and properties."""
        deployed = self.deployed
        top = content_of(deployed)
        own = {"name": name_of(deployed), "description": top.annotation or None}
        properties = own_properties(top, deployed.values) if isinstance(deployed, Group) else {}
        document = {**own, "properties": properties or None, "componentDescriptors": self._descriptors(self._top)}
        return {name: value for name, value in document.items() if value is not None}

    @property
    def origin(self) -> str:
        """Return the kind of what was exported here; empty for a package of others. Raises PackageInvalid."""
        return self._top.carried.origin

    def _descriptors(self, level: Level) -> list[Document]:
        names, scope = Names(), Scope(level.carried, self.notes)
        networks = self._networks(level, names)
        for name, symbol in networks.items():
            scope.enter("Network", name, self.networks[name] if symbol is None else f"{SYMBOL}{symbol}")
        named = [(member, names.take(name_of(member.part))) for member in level.members]
        scope.take_names(names)
        given = Given(self.envelope, self.images, self.sizes, self.networks, self.stopped)
        machines = MachineComposition(given, scope, names, networks)
        components = [self._component(member, name, level.around, machines) for member, name in named]
        for identity in unattached(level.around) if level.around is not None else ():
            machines.volumes.alone(identity)
        made = [_network(self._network(name), symbol, scope) for name, symbol in networks.items() if symbol is not None]
        return [*made, *machines.volumes.descriptors, *scope.descriptors(), *components]

    def _component(
        self, member: VirtualMachine | Level, name: str, around: Group | None, machines: MachineComposition
    ) -> Document:
        part = member.part
        startup = {item.id: item for item in around.collection.startup} if around is not None else {}
        item = startup.get(content_of(part).id)
        properties = {
            **_identity(part, name),
            **own_properties(content_of(part), part.values),
            **_startup(item),
        }
        described = {"name": name, "description": content_of(part).annotation, "properties": properties}
        if isinstance(member, VirtualMachine):
            machine = machines.describe(member, name, around, item)
            return some({**described, "type": "Machine", "machineTemplate": machine})
        inside = {"componentDescriptors": self._descriptors(member)}
        return {**some(described), "type": "System", "systemTemplate": inside}

    # Networks

    def _networks(self, level: Level, names: Names) -> dict[str, str | None]:
        """Return the networks that are needed here, with the name of each here; None for those that are there."""
        needed = self._needed(level)
        elsewhere = {name for other in self._top.every() if other is not level for name in self._needed(other)}
        for network in needed:
            if network in elsewhere:
                self._demand_given(network)
        used = dict.fromkeys((*needed, *(name for name in self._own(level) if name not in elsewhere)))
        if level is self._top and level.around is not None and not self.origin:
            used.update(dict.fromkeys(self._ours_unused()))
        return {name: None if name in self.networks else names.take(name) for name in used}

    def _needed(self, level: Level) -> dict[str, None]:
        """Return the networks that the guests of a collection need, and what it carries.

        Raises PackageInvalid for one that is not there.
        """
        carried = level.carried
        there = {network.name for network in self.envelope.networks}
        for name in sorted(carried.networks() - there):
            raise PackageInvalid(
                f"the {TEMPLATE_SECTION} of {carried.who} names the network {name[:60]!r}, which the NetworkSection "
                "does not have"
            )
        ports = [network for machine in level.machines() for network in self._connected(machine)]
        return dict.fromkeys((*ports, *sorted(carried.networks())))

    def _connected(self, machine: VirtualMachine) -> Iterable[str]:
        """Return the networks of a guest's cards, but for those that need none of the package."""
        usual = on_usual_network(machine.part, machine.own, self.networks)
        return (port.network for place, port in enumerate(machine.part.ports) if place not in usual)

    def _own(self, level: Level) -> Iterable[str]:
        """Return the networks which the collection tells more of: they were its own."""
        there = {network.name for network in self.envelope.networks}
        return (name for name in level.carried.components["Network"] if name in there)

    def _ours_unused(self) -> Iterable[str]:
        """Return the networks of a System from an older gateway which none of its Machines used."""
        used = {name for level in self._top.every() for name in (*self._needed(level), *self._own(level))}
        return (network.name for network in self.envelope.networks if network.kind and network.name not in used)

    def _demand_given(self, network: str) -> None:
        """Raise PackageInvalid for a network of several Systems that is not there: a System's own are its alone."""
        if network not in self.networks:
            raise PackageInvalid(
                f"the network {network[:60]!r} joins guests of several collections; name a Network for it: "
                f"the action's property 'ovf.network.{network[:60]}'"
            )

    def _network(self, name: str) -> Network:
        return next(network for network in self.envelope.networks if network.name == name)


def _network(network: Network, name: str, scope: Scope) -> Document:
    more = scope.carried.rest_of("Network", network.name)
    carried, who = more.get("networkTemplate") or {}, f"Network {network.name[:60]!r} of {scope.carried.who}"
    check_texts(carried, who)
    placed = scope.placed(DESCRIBED[KINDS["Network"]], carried, who)
    kind = network.kind if network.kind in NETWORK_TYPES else "PRIVATE"
    config = {**(carried.get("networkConfig") or {}), "networkType": kind}
    kept = {key: placed[key] for key in ("initialState", "forwardingGroup") if key in placed}
    described = {"description": network.description, "properties": more.get("properties")}
    return some({"name": name, **described, "type": "Network", "networkTemplate": {**kept, "networkConfig": config}})


def own_properties(content: Content, values: Mapping[str, Value]) -> dict[str, str]:
    """Return the values of its own products that are no secrets, and what has no attribute."""
    properties: dict[str, str] = {}
    for product in content.products:
        for declared in product.properties:
            name = product.name_of(declared.key)
            value = values.get(name)
            if value is not None and not value.secret and declared.key not in HIDDEN:
                properties[_name_here(product, declared.key, name)] = value.text
    products = [words for product in content.products if (words := _product(product))]
    if products:
        properties[PRODUCT] = ", ".join(products)
    if content.eulas:
        properties[EULA] = "\n\n".join(content.eulas)
    if isinstance(content, VirtualSystem) and content.operating_system is not None:
        system = content.operating_system
        properties[SYSTEM] = f"{system.id} {system.description}".strip()
    return properties


def _identity(part: Guest | Group, name: str) -> dict[str, str]:
    identity = content_of(part).id
    return {IDENTITY: identity} if identity != name else {}


def unattached(deployed: Guest | Group) -> list[str]:
    """Return the ids of the Disks that no guest has."""
    value = deployed.values.get(f"{OWN_CLASS}.{UNATTACHED}")
    return value.text.split() if value is not None else []


def _name_here(product: Product, key: str, name: str) -> str:
    own = product.class_ == OWN_CLASS and not product.instance
    return key if own else f"{PREFIX}{name}"


def _product(product: Product) -> str:
    return " ".join(part for part in (product.vendor, product.product, product.version) if part)


def _startup(item: StartupItem | None) -> dict[str, str]:
    if item is None:
        return {}
    usual = StartupItem(item.id, item.order)
    unusual = {
        f"{STARTUP}{word}": str(getattr(item, name))
        for word, name in STARTUP_WORDS.items()
        if getattr(item, name) != getattr(usual, name)
    }
    return {START_ORDER: str(item.order), **unusual}
