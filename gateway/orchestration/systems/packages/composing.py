"""From what a package holds to the component descriptors of a SystemTemplate (DSP0263 annex A)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gateway.orchestration.systems.order import START_ORDER
from gateway.orchestration.systems.packages.words import (
    EULA,
    IDENTITY,
    OWN_CLASS,
    PREFIX,
    PRODUCT,
    STARTUP,
    SYSTEM,
    UNATTACHED,
)
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.ovf.deployment import Drive, Group, Guest, Port
from gateway.ovf.environment import awaits_environment, cloud_init, environment
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Content, Envelope, Network, Product, StartupItem, VirtualSystem
from gateway.ovf.properties import Value
from gateway.ovf.units import bytes_of
from gateway.store.model import Document

LONGEST_NAME = 200
HIDDEN = frozenset({UNATTACHED, "user-data"})
"""Properties that nobody reads: what is said elsewhere, and what CIMI keeps to the guest."""
STARTUP_WORDS = {
    "startDelay": "start_delay",
    "startAction": "start_action",
    "stopDelay": "stop_delay",
    "stopAction": "stop_action",
}
"""Words of a StartupSection that are kept in properties, where they are not the usual ones."""


@dataclass(frozen=True, slots=True)
class Bytes:
    """A File that becomes an image: a MachineImage to boot from, or the content of a Volume."""

    kind: str
    file: str
    """Id of the File."""
    name: str
    capacity: int | None = None
    """Bytes that the package says its disk has; None for other files than disks."""
    format: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.file}"


def needed_bytes(envelope: Envelope, deployed: Guest | Group) -> tuple[Bytes, ...]:
    """Each once, however many guests use it."""
    found: dict[str, Bytes] = {}
    for guest in guests_of(deployed):
        for place, drive in enumerate(guest.drives):
            disk = envelope.disk(drive.disk) if drive.disk is not None else None
            if disk is not None and disk.file is not None:
                kind = "VolumeImage" if place else "MachineImage"
                name = f"{name_of(guest)} disk {place + 1}"
                one = Bytes(kind, disk.file, name, drive.capacity, disk.format)
                found.setdefault(one.key, one)
        for number, file in enumerate(guest.media, 1):
            one = Bytes("VolumeImage", file, f"{name_of(guest)} medium {number}")
            found.setdefault(one.key, one)
    for identity in unattached(deployed):
        disk = envelope.disk(identity)
        if disk is not None and disk.file is not None:
            one = Bytes("VolumeImage", disk.file, disk.name or disk.id, None, disk.format)
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

    def _descriptors(self, parts: tuple[Guest | Group, ...], around: Group | None) -> list[Document]:
        names = _Names()
        guests = [part for part in parts if isinstance(part, Guest)]
        networks = self._networks(guests, names)
        volumes = _Volumes(self, names)
        named = {id(part): names.take(name_of(part)) for part in parts}
        startup = {item.id: item for item in around.collection.startup} if around is not None else {}
        components: list[Document] = []
        for part in parts:
            item = startup.get(content_of(part).id)
            described = {
                "name": named[id(part)],
                "description": content_of(part).annotation or None,
                "properties": {
                    **_identity(part, named[id(part)]),
                    **own_properties(content_of(part), part.values),
                    **_startup(item),
                }
                or None,
            }
            if isinstance(part, Guest):
                machine = self._machine(part, around, item, networks, volumes.of(part, named[id(part)]))
                component = {**described, "type": "Machine", "machineTemplate": machine}
            else:
                inside = {"componentDescriptors": self._descriptors(part.parts, part)}
                component = {**described, "type": "System", "systemTemplate": inside}
            components.append({name: value for name, value in component.items() if value is not None})
        for identity in unattached(around) if around is not None else ():
            volumes.alone(identity)
        made = [_network(self._network(name), symbol) for name, symbol in networks.items() if symbol is not None]
        return [*made, *volumes.descriptors, *components]

    # Networks

    def _networks(self, guests: list[Guest], names: _Names) -> dict[str, str | None]:
        """Those that guests here use, with the name of each here; None for those that are there already."""
        used = dict.fromkeys(port.network for guest in guests for port in guest.ports)
        here = {id(guest) for guest in guests}
        elsewhere = (guest for guest in guests_of(self.deployed) if id(guest) not in here)
        for network in {port.network for guest in elsewhere for port in guest.ports} & used.keys():
            self._demand_given(network)
        if self._at_top(guests):
            used.update(dict.fromkeys(self._ours_unused()))
        return {name: None if name in self.networks else names.take(name) for name in used}

    def _at_top(self, guests: list[Guest]) -> bool:
        parts = self.deployed.parts if isinstance(self.deployed, Group) else (self.deployed,)
        return [part for part in parts if isinstance(part, Guest)] == guests

    def _ours_unused(self) -> Iterable[str]:
        """Networks of a System that was exported here, which none of its Machines used."""
        used = {port.network for guest in guests_of(self.deployed) for port in guest.ports}
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

    # Machines

    def _machine(
        self,
        guest: Guest,
        around: Group | None,
        startup: StartupItem | None,
        networks: Mapping[str, str | None],
        volumes: list[Document],
    ) -> Document:
        boot = guest.drives[0] if guest.drives else None
        disk = self.envelope.disk(boot.disk) if boot is not None and boot.disk is not None else None
        if boot is None or disk is None or disk.file is None:
            raise PackageInvalid(f"VirtualSystem {guest.system.id!r} has no first disk with content to boot from")
        config = {
            "cpu": guest.cpus,
            "memory": -(-guest.memory // 1024),
            "disks": [{"capacity": kilobytes(boot.capacity)}],
        }
        off = self.stopped or (startup is not None and startup.start_action == "none")
        template: Document = {
            "initialState": "STOPPED" if off else None,
            "machineConfig": config,
            "machineImage": {"href": self.images[f"MachineImage:{disk.file}"]},
            "volumes": volumes or None,
            "networkInterfaces": [self._interface(port, networks) for port in guest.ports] or None,
            **_told(guest, around),
        }
        return {name: value for name, value in template.items() if value is not None}

    def _interface(self, port: Port, networks: Mapping[str, str | None]) -> Document:
        symbol = networks[port.network]
        href = self.networks[port.network] if symbol is None else f"#{symbol}"
        more = {"macAddress": port.mac} if port.mac else {}
        return {"network": {"href": href}, **more, **({} if port.connected else {"state": "Passive"})}


class _Volumes:
    """What the guests of one template have besides their first disks; each Disk once."""

    def __init__(self, composition: Composition, names: _Names) -> None:
        self.descriptors: list[Document] = []
        self._composition = composition
        self._names = names
        self._known: dict[str, str] = {}

    def of(self, guest: Guest, name: str) -> list[Document]:
        """The references of one Machine, in its order."""
        found = [self._drive(drive, f"{name} disk {place}") for place, drive in enumerate(guest.drives[1:], 2)]
        found += [self._medium(file, f"{name} medium {number}") for number, file in enumerate(guest.media, 1)]
        return [
            {"href": f"#{symbol}", "initialLocation": f"/dev/vd{letter}"}
            for symbol, letter in zip(found, "bcdefghijklmnopqrstuvwxy", strict=False)
        ]

    def _drive(self, drive: Drive, name: str) -> str:
        if drive.disk is None:
            return self._volume(name, drive.capacity, None)
        disk = self._composition.envelope.disk(drive.disk)
        image = f"VolumeImage:{disk.file}" if disk is not None and disk.file is not None else None
        if drive.disk not in self._known:
            self._known[drive.disk] = self._volume((disk.name if disk else "") or name, drive.capacity, image)
        return self._known[drive.disk]

    def alone(self, identity: str) -> None:
        """A Disk that no guest has."""
        disk = self._composition.envelope.disk(identity)
        if disk is not None:
            size = bytes_of(disk.capacity, disk.units, f"the capacity of Disk {disk.id!r}")
            self._drive(Drive(disk.id, size), disk.name or disk.id)

    def _medium(self, file: str, name: str) -> str:
        key = f"VolumeImage:{file}"
        return self._volume(name, self._composition.sizes.get(key, 0), key)

    def _volume(self, wanted: str, size: int, image: str | None) -> str:
        name = self._names.take(wanted)
        template: Document = {"volumeConfig": {"capacity": kilobytes(size)}}
        if image is not None:
            template["volumeImage"] = {"href": self._composition.images[image]}
        self.descriptors.append({"name": name, "type": "Volume", "volumeTemplate": template})
        return name


class _Names:
    """Of the components of one template: each once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted} ({number})"
        self._taken.add(name)
        return name


def kilobytes(size: int) -> int:
    return max(1, -(-size // KILOBYTE))


def _network(network: Network, name: str) -> Document:
    config = {"networkType": network.kind} if network.kind in ("PUBLIC", "PRIVATE") else {"networkType": "PRIVATE"}
    described = {"description": network.description} if network.description else {}
    return {"name": name, **described, "type": "Network", "networkTemplate": {"networkConfig": config}}


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


def _told(guest: Guest, around: Group | None) -> Document:
    """What the guest finds in its seed."""
    known = cloud_init(guest.values)
    found: Document = {}
    if known.user_data is not None:
        found["userData"] = base64.b64encode(known.user_data).decode()
    if known.keys:
        found["credential"] = {"key": "\n".join(known.keys)}
    if awaits_environment(guest):
        found["environment"] = environment(guest, around).decode()
    return found
