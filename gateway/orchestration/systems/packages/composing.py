"""From what a package holds to the component descriptors of a SystemTemplate (DSP0263 annex A)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.cimi.edge import SYMBOL
from gateway.cimi.network import NETWORK_TYPES
from gateway.orchestration.systems.blueprint import DESCRIBED, KINDS
from gateway.orchestration.systems.order import START_ORDER
from gateway.orchestration.systems.packages.carrying import Carried, some
from gateway.orchestration.systems.packages.composing_machines import (
    Bytes,
    Given,
    MachineComposition,
    carried_by,
    on_usual_network,
)
from gateway.orchestration.systems.packages.scope import Names, Scope, check_texts
from gateway.orchestration.systems.packages.words import (
    EULA,
    IDENTITY,
    OWN_CLASS,
    PREFIX,
    PRODUCT,
    STARTUP,
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
    """Each once, however many guests use it."""
    found: dict[str, Bytes] = {}
    for guest in guests_of(deployed):
        for place, drive in enumerate(guest.drives):
            disk = envelope.disk(drive.disk) if drive.disk is not None else None
            if disk is not None and disk.file is not None:
                kind = "VolumeImage" if place else "MachineImage"
                name = f"{name_of(guest)} disk {place + 1}"
                one = Bytes(kind, disk.file, name, drive.capacity, disk.format, envelope.below(disk))
                found.setdefault(one.key, one)
        for number, file in enumerate(guest.media, 1):
            one = Bytes("VolumeImage", file, f"{name_of(guest)} medium {number}")
            found.setdefault(one.key, one)
    for identity in unattached(deployed):
        disk = envelope.disk(identity)
        if disk is not None and disk.file is not None:
            one = Bytes("VolumeImage", disk.file, disk.name or disk.id, None, disk.format, envelope.below(disk))
            found.setdefault(one.key, one)
    return tuple(found.values())


def guests_of(deployed: Guest | Group) -> Iterable[Guest]:
    return (deployed,) if isinstance(deployed, Guest) else deployed.guests()


def name_of(part: Guest | Group) -> str:
    content = content_of(part)
    return (content.name or content.id)[:LONGEST_NAME]


def content_of(part: Guest | Group) -> Content:
    return part.system if isinstance(part, Guest) else part.collection


@dataclass(slots=True)
class Composition:
    """``images``: key of ``Bytes`` to the image; ``networks``: Networks that are there, by the package's names.

    ``sizes`` are the bytes of images, by their keys, for volumes whose size the package does not say.
    """

    envelope: Envelope
    deployed: Guest | Group
    images: Mapping[str, str]
    networks: Mapping[str, str] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    stopped: bool = False
    """Whether Machines stay off, whatever the package says."""
    notes: list[str] = field(default_factory=list)
    """What of the package's own templates cannot be had, for people; known after ``template``."""
    _carried: dict[int, Carried] = field(default_factory=dict)
    _machines: dict[int, Document] = field(default_factory=dict)

    def template(self) -> Document:
        """The SystemTemplate's document, with its own name, description and properties."""
        deployed = self.deployed
        top = content_of(deployed)
        own = {"name": name_of(deployed), "description": top.annotation or None}
        parts = (deployed,) if isinstance(deployed, Guest) else deployed.parts
        around = deployed if isinstance(deployed, Group) else None
        properties = own_properties(top, deployed.values) if around is not None else {}
        document = {**own, "properties": properties or None, "componentDescriptors": self._descriptors(parts, around)}
        return {name: value for name, value in document.items() if value is not None}

    @property
    def origin(self) -> str:
        """The kind of what was exported here; empty for a package of others."""
        return self.carried(self.deployed if isinstance(self.deployed, Group) else None).origin

    def carried(self, group: Group | None) -> Carried:
        """What the collection carries of CIMI. Raises PackageInvalid."""
        if group is None:
            return Carried()
        if id(group) not in self._carried:
            who = f"VirtualSystemCollection {group.collection.id[:60]!r}"
            self._carried[id(group)] = Carried(group.collection.template, who)
        return self._carried[id(group)]

    def _descriptors(self, parts: tuple[Guest | Group, ...], around: Group | None) -> list[Document]:
        names, scope = Names(), Scope(self.carried(around), self.notes)
        networks = self._networks(around, [part for part in parts if isinstance(part, Guest)], names)
        for name, symbol in networks.items():
            scope.enter("Network", name, self.networks[name] if symbol is None else f"{SYMBOL}{symbol}")
        named = {id(part): names.take(name_of(part)) for part in parts}
        scope.take_names(names)
        given = Given(self.envelope, self.images, self.sizes, self.networks, self.stopped)
        machines = MachineComposition(given, scope, names, networks)
        components = [self._component(part, named[id(part)], around, machines) for part in parts]
        for identity in unattached(around) if around is not None else ():
            machines.volumes.alone(identity)
        made = [_network(self._network(name), symbol, scope) for name, symbol in networks.items() if symbol is not None]
        return [*made, *machines.volumes.descriptors, *scope.descriptors(), *components]

    def _component(
        self, part: Guest | Group, name: str, around: Group | None, machines: MachineComposition
    ) -> Document:
        startup = {item.id: item for item in around.collection.startup} if around is not None else {}
        item = startup.get(content_of(part).id)
        properties = {
            **_identity(part, name),
            **own_properties(content_of(part), part.values),
            **_startup(item),
        }
        described = {"name": name, "description": content_of(part).annotation, "properties": properties}
        if isinstance(part, Guest):
            machine = machines.describe(part, self._own_machine(part), name, around, item)
            return some({**described, "type": "Machine", "machineTemplate": machine})
        inside = {"componentDescriptors": self._descriptors(part.parts, part)}
        return {**some(described), "type": "System", "systemTemplate": inside}

    # Networks

    def _networks(self, around: Group | None, guests: list[Guest], names: Names) -> dict[str, str | None]:
        """Those that are needed here, with the name of each here; None for those that are there already."""
        needed = self._needed(around, guests)
        others = [level for level in levels(self.deployed) if level[0] is not around]
        elsewhere = {name for level in others for name in self._needed(*level)}
        for network in needed:
            if network in elsewhere:
                self._demand_given(network)
        used = dict.fromkeys((*needed, *(name for name in self._own(around) if name not in elsewhere)))
        if around is self.deployed and not self.origin:
            used.update(dict.fromkeys(self._ours_unused()))
        return {name: None if name in self.networks else names.take(name) for name in used}

    def _needed(self, around: Group | None, guests: list[Guest]) -> dict[str, None]:
        """By the guests of a collection, and by what it carries. Raises PackageInvalid for one that is not there."""
        carried = self.carried(around)
        known = {network.name for network in self.envelope.networks}
        for name in sorted(carried.networks() - known):
            raise PackageInvalid(
                f"the {TEMPLATE_SECTION} of {carried.who} names the network {name[:60]!r}, which the NetworkSection "
                "does not have"
            )
        ports = [network for guest in guests for network in self._connected(guest)]
        return dict.fromkeys((*ports, *sorted(carried.networks())))

    def _connected(self, guest: Guest) -> Iterable[str]:
        """The networks of its cards, but for those that need none of the package."""
        usual = on_usual_network(guest, self._own_machine(guest), self.networks)
        return (port.network for place, port in enumerate(guest.ports) if place not in usual)

    def _own_machine(self, guest: Guest) -> Document:
        if id(guest) not in self._machines:
            self._machines[id(guest)] = carried_by(guest)
        return self._machines[id(guest)]

    def _own(self, around: Group | None) -> Iterable[str]:
        """Networks which the collection tells more of: they were its own."""
        known = {network.name for network in self.envelope.networks}
        return (name for name in self.carried(around).components["Network"] if name in known)

    def _ours_unused(self) -> Iterable[str]:
        """Networks of a System that was exported by an older gateway, which none of its Machines used."""
        used = {name for level in levels(self.deployed) for name in (*self._needed(*level), *self._own(level[0]))}
        return (network.name for network in self.envelope.networks if network.kind and network.name not in used)

    def _demand_given(self, network: str) -> None:
        """A System's Networks are its own; what is shared by several has to be there."""
        if network not in self.networks:
            raise PackageInvalid(
                f"the network {network[:60]!r} joins guests of several collections; name a Network for it: "
                f"the action's property 'ovf.network.{network[:60]}'"
            )

    def _network(self, name: str) -> Network:
        return next(network for network in self.envelope.networks if network.name == name)


def levels(deployed: Guest | Group) -> Iterator[tuple[Group | None, list[Guest]]]:
    """Each collection with the guests that are directly in it."""
    if isinstance(deployed, Guest):
        yield None, [deployed]
        return
    yield deployed, [part for part in deployed.parts if isinstance(part, Guest)]
    for part in deployed.parts:
        if isinstance(part, Group):
            yield from levels(part)


def _network(network: Network, name: str, scope: Scope) -> Document:
    more = scope.carried.rest_of("Network", network.name)
    told, who = more.get("networkTemplate") or {}, f"Network {network.name[:60]!r} of {scope.carried.who}"
    check_texts(told, who)
    placed = scope.placed(DESCRIBED[KINDS["Network"]], told, who)
    kind = network.kind if network.kind in NETWORK_TYPES else "PRIVATE"
    config = {**(told.get("networkConfig") or {}), "networkType": kind}
    kept = {key: placed[key] for key in ("initialState", "forwardingGroup") if key in placed}
    described = {"description": network.description, "properties": more.get("properties")}
    return some({"name": name, **described, "type": "Network", "networkTemplate": {**kept, "networkConfig": config}})


def own_properties(content: Content, values: Mapping[str, Value]) -> dict[str, str]:
    """Values of its own products that are no secrets, and what has no attribute."""
    found: dict[str, str] = {}
    for product in content.products:
        for declared in product.properties:
            name = product.name_of(declared.key)
            value = values.get(name)
            if value is not None and not value.secret and declared.key not in HIDDEN:
                found[_shown_as(product, declared.key, name)] = value.text
    products = [told for product in content.products if (told := _product(product))]
    if products:
        found[PRODUCT] = ", ".join(products)
    if content.eulas:
        found[EULA] = "\n\n".join(content.eulas)
    if isinstance(content, VirtualSystem) and content.operating_system is not None:
        known = content.operating_system
        found[SYSTEM] = f"{known.id} {known.description}".strip()
    return found


def _identity(part: Guest | Group, name: str) -> dict[str, str]:
    identity = content_of(part).id
    return {IDENTITY: identity} if identity != name else {}


def unattached(deployed: Guest | Group) -> list[str]:
    """Ids of Disks."""
    value = deployed.values.get(f"{OWN_CLASS}.{UNATTACHED}")
    return value.text.split() if value is not None else []


def _shown_as(product: Product, key: str, name: str) -> str:
    own = product.class_ == OWN_CLASS and not product.instance
    return key if own else f"{PREFIX}{name}"


def _product(product: Product) -> str:
    return " ".join(part for part in (product.vendor, product.product, product.version) if part)


def _startup(item: StartupItem | None) -> dict[str, str]:
    if item is None:
        return {}
    usual = StartupItem(item.id, item.order)
    shown = {
        f"{STARTUP}{word}": str(getattr(item, name))
        for word, name in STARTUP_WORDS.items()
        if getattr(item, name) != getattr(usual, name)
    }
    return {START_ORDER: str(item.order), **shown}
