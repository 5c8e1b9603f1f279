"""From a System to the descriptor of a package, and to the disks that belong into it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from gateway.errors import Conflict
from gateway.orchestration.machines.plans import volume_of
from gateway.orchestration.resources import Room
from gateway.orchestration.systems.containment import member_of
from gateway.orchestration.systems.order import START_ORDER, start_order
from gateway.orchestration.systems.packages.composing import STARTUP_WORDS
from gateway.orchestration.systems.packages.words import (
    EMULATED,
    EULA,
    FACTS,
    OWN_CLASS,
    PREFIX,
    PRODUCT,
    STARTUP,
    SYSTEM,
    UNATTACHED,
)
from gateway.ovf.model import (
    Content,
    Disk,
    Envelope,
    File,
    Hardware,
    Item,
    Network,
    OperatingSystem,
    Product,
    Property,
    StartupItem,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.names import STREAM_OPTIMIZED, Device
from gateway.store.model import Document, Resource

COPIED = frozenset({"STARTED", "PAUSED", "STOPPED", "SUSPENDED"})
RUNS = frozenset({"STARTED", "PAUSED"})
CONTROLLER = "3"
KILOBYTES = "byte * 10^3"


@dataclass(frozen=True, slots=True)
class DiskToPack:
    """Bytes of a pool that become a file of the package. ``machine`` is the one that has it, ``target`` where."""

    id: str
    file: str
    label: str
    host: str
    pool: str
    volume: str
    format: str
    machine: str | None = None
    target: str = ""
    as_it_is: bool = False
    """Nobody writes it, and it stands on nothing else: it is read without a copy."""

    def document(self) -> Document:
        return asdict(self)


@dataclass(slots=True)
class Described:
    """``locks`` are resources that must stay as they are until their bytes are copied."""

    envelope: Envelope
    disks: list[DiskToPack]
    locks: list[str]


@dataclass(slots=True)
class Parts:
    """Disks and networks of a package while it is described; each once."""

    name: str
    disks: list[DiskToPack] = field(default_factory=list)
    entries: list[Disk] = field(default_factory=list)
    networks: dict[str, Network] = field(default_factory=dict)
    locks: list[str] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    """What was seen already, to the id of its Disk."""

    def disk(self, key: str, capacity: int, name: str, source: Document | None) -> str:
        """The id of the Disk; an empty one without ``source``. ``capacity`` in kilobytes, as CIMI counts."""
        if key in self.known:
            return self.known[key]
        number = len(self.entries) + 1
        identity, file = f"disk{number}", f"file{number}"
        if source is not None:
            self.disks.append(DiskToPack(file, f"{self.name}-disk{number}.vmdk", name, **source))
        held = file if source is not None else None
        self.entries.append(Disk(identity, str(capacity), KILOBYTES, held, STREAM_OPTIMIZED, name=name))
        self.known[key] = identity
        return identity

    def network(self, path: str, name: str, description: str, kind: str) -> str:
        if path not in self.networks:
            taken = {network.name for network in self.networks.values()}
            self.networks[path] = Network(unique(name, taken), description, kind)
        return self.networks[path].name

    def described(self, content: Content) -> Described:
        files = tuple(File(disk.id, disk.file) for disk in self.disks)
        envelope = Envelope(content, files, tuple(self.entries), tuple(self.networks.values()))
        return Described(envelope, self.disks, self.locks)


class SystemDescription:
    """Of a System with all Systems inside."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._store = room.store

    async def describe(self, system: Resource) -> Described:
        """Raises Conflict while something of it is being made, changed or removed."""
        parts = Parts(file_name(system.name or system.path.rpartition("/")[2]))
        content = await self._collection(system, parts, set(), frozenset())
        demand_some(content)
        return parts.described(content)

    async def _collection(
        self, system: Resource, parts: Parts, taken: set[str], around: frozenset[str]
    ) -> VirtualSystemCollection:
        if system.path in around:
            raise Conflict(f"{system.path} is inside itself")
        if system.state in ("CREATING", "DELETING"):
            raise Conflict(f"{system.path} is {system.state}; wait for its job")
        identity = unique(system.name or system.path.rpartition("/")[2], taken)
        content: list[Content] = []
        startup: list[StartupItem] = []
        members = [(await self._members(system, kind), kind) for kind in ("Machine", "System")]
        for found, kind in members:
            for name, member in found:
                called = replace(member, document={**member.document, "name": name or member.name})
                made: Content
                if kind == "Machine":
                    made = await self._machine(called, parts, taken)
                else:
                    made = await self._collection(called, parts, taken, around | {system.path})
                content.append(made)
                startup.extend(startup_of(made.id, member.document.get("properties", {})))
        await self._networks(system, parts)
        alone = await self._unattached(system, parts)
        products = products_of(system.document.get("properties", {}), alone)
        return VirtualSystemCollection(
            id=identity,
            info="A System",
            annotation=system.document.get("description", ""),
            products=products,
            eulas=eulas_of(system.document.get("properties", {})),
            startup=tuple(startup),
            content=tuple(content),
        )

    async def _members(self, system: Resource, kind: str) -> list[tuple[str | None, Resource]]:
        """Names of the memberships, and what they are of."""
        entries = await self._store.children(system.path, f"System{kind}")
        found = [(entry.name, await self._store.get(member_of(entry))) for entry in entries]
        return [(name, member) for name, member in found if member is not None]

    async def _networks(self, system: Resource, parts: Parts) -> None:
        for name, network in await self._members(system, "Network"):
            await self._network(network.path, parts, name)

    async def _network(self, path: str, parts: Parts, name: str | None = None) -> str:
        network = await self._store.get(path)
        if network is None:
            raise Conflict(f"{path} is gone")
        document = network.document
        called = name or document.get("name") or path.rpartition("/")[2]
        return parts.network(path, called, document.get("description", ""), document.get("networkType", ""))

    async def _unattached(self, system: Resource, parts: Parts) -> list[str]:
        """Disks of Volumes in the System that no Machine has."""
        found = []
        for name, volume in await self._members(system, "Volume"):
            if not volume.internal.get("attachments"):
                found.append(await self._volume(volume, parts, name or volume.name or ""))
        return found

    # Machines

    async def _machine(self, machine: Resource, parts: Parts, taken: set[str]) -> VirtualSystem:
        if machine.state not in COPIED:
            raise Conflict(f"{machine.path} is {machine.state}; it can be exported when it is {', '.join(COPIED)}")
        parts.locks.append(machine.path)
        disks = await self._disks(machine, parts)
        ports = [await self._port(entry, parts) for entry in machine.internal["interfaces"]]
        properties = machine.document.get("properties", {})
        return VirtualSystem(
            id=unique(machine.name or machine.path.rpartition("/")[2], taken),
            info="A Machine",
            annotation=machine.document.get("description", ""),
            products=products_of(properties),
            eulas=eulas_of(properties),
            operating_system=operating_system_of(properties),
            hardware=(
                hardware_of(
                    machine.document["cpu"],
                    machine.document["memory"],
                    disks,
                    ports,
                    told="environment" in machine.internal.get("seed", {}),
                ),
            ),
        )

    async def _disks(self, machine: Resource, parts: Parts) -> list[str]:
        """Ids, those of the Machine's own first: it boots from the first of them."""
        found = []
        for disk in machine.internal["disks"]:
            source = {
                "host": machine.internal["host"],
                "pool": machine.internal["pool"],
                "volume": volume_of(machine, disk),
                "format": disk["format"],
                "machine": machine.path,
                "target": disk["target"],
            }
            name = f"{machine.name or 'machine'} {disk['target']}"
            found.append(parts.disk(f"{machine.path}/{disk['target']}", disk["capacity"], name, source))
        for _target, path in sorted(machine.internal.get("volumes", {}).items()):
            attachment = await self._store.get(path)
            if attachment is not None:
                found.append(await self._attached(machine, attachment, parts))
        return found

    async def _attached(self, machine: Resource, attachment: Resource, parts: Parts) -> str:
        volume = await self._store.get(attachment.document["volume"]["href"])
        if volume is None or attachment.internal.get("job") is not None:
            raise Conflict(f"a Volume is being connected to {machine.path}, or taken away; wait for that job")
        return await self._volume(volume, parts, volume.name or "")

    async def _volume(self, volume: Resource, parts: Parts, name: str) -> str:
        if volume.state != "AVAILABLE":
            raise Conflict(f"{volume.path} is {volume.state}; it can be exported when it is AVAILABLE")
        holders = (volume.internal.get("attachments") or {}).items()
        running = [(place, machine) for place, machine in holders if await self._runs(machine)]
        if len(running) > 1:
            raise Conflict(f"several running Machines write {volume.path}; stop them first")
        known = volume.internal
        source: dict[str, Any] = {name: known[name] for name in ("host", "pool", "volume", "format")}
        for place, machine in running or list(holders)[:1]:
            attachment = await self._store.get(place)
            if attachment is not None:
                source.update(machine=machine, target=attachment.internal["target"])
        parts.locks.append(volume.path)
        return parts.disk(volume.path, volume.document["capacity"], name, source)

    async def _runs(self, path: str) -> bool:
        machine = await self._store.get(path)
        return machine is not None and machine.state in RUNS

    async def _port(self, entry: Document, parts: Parts) -> Item:
        name = await self._network(entry["network_path"], parts)
        return port_item(name, entry["mac"], bool(entry.get("up", True)))


def demand_some(content: VirtualSystemCollection) -> None:
    """Raises Conflict for what makes no package: one holds a virtual system at least (DSP0243 clause 7.2)."""
    if next(content.systems(), None) is None:
        raise Conflict("there is no Machine in it; a package needs one")


def unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted} ({number})"
    taken.add(name)
    return name


def file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "system"


# Hardware


def port_item(network: str, mac: str = "", connected: bool = True) -> Item:
    return Item("", Device.ETHERNET, "", "virtio", address=mac, connections=(network,), allocated=connected)


def hardware_of(cpus: int, memory_kib: int, disks: list[str], ports: list[Item], *, told: bool) -> Hardware:
    """``told``: the guest looks for an ISO image with its environment."""
    items = [
        Item("1", Device.PROCESSOR, f"{cpus} CPUs", quantity=str(cpus)),
        Item("2", Device.MEMORY, "memory", quantity=str(memory_kib), units="byte * 2^10"),
        Item(CONTROLLER, Device.SCSI_CONTROLLER, "controller", "VirtioSCSI", address="0"),
    ]
    for place, disk in enumerate(disks):
        resources = (f"ovf:/disk/{disk}",)
        number = str(len(items) + 1)
        items.append(
            Item(
                number,
                Device.DISK,
                f"disk {place + 1}",
                parent=CONTROLLER,
                address_on_parent=str(place),
                host_resources=resources,
            )
        )
    for place, port in enumerate(ports):
        number = str(len(items) + 1)
        items.append(replace(port, instance_id=number, name=f"eth{place}", address_on_parent=str(place)))
    return Hardware((EMULATED,), frozenset({"iso"}) if told else frozenset(), tuple(items))


# What stands in properties


def products_of(properties: dict[str, str], alone: Iterable[str] = ()) -> tuple[Product, ...]:
    """The package's own properties as they came, a resource's own in a section of its class."""
    foreign, own = [], []
    for key, value in properties.items():
        if key in FACTS or key.startswith(STARTUP) or key == START_ORDER:
            continue
        if key.startswith(PREFIX):
            foreign.append(Property(key.removeprefix(PREFIX), value=value, user_configurable=True))
        else:
            own.append(Property(key, value=value, user_configurable=True))
    if disks := " ".join(alone):
        own.append(Property(UNATTACHED, value=disks))
    product = properties.get(PRODUCT, "")
    sections = []
    if foreign or product:
        sections.append(Product(product=product, properties=tuple(foreign)))
    if own:
        sections.append(Product(class_=OWN_CLASS, properties=tuple(own)))
    return tuple(sections)


def eulas_of(properties: dict[str, str]) -> tuple[str, ...]:
    text = properties.get(EULA)
    return (text,) if text else ()


def operating_system_of(properties: dict[str, str]) -> OperatingSystem | None:
    number, _, description = properties.get(SYSTEM, "").partition(" ")
    return OperatingSystem(int(number), description=description) if number.isdecimal() else None


def startup_of(identity: str, properties: dict[str, str]) -> Iterable[StartupItem]:
    """None for what has no order of its own."""
    if START_ORDER not in properties:
        return
    try:
        order = max(0, start_order(properties))
    except ValueError:
        return
    usual = StartupItem(identity, order)
    given: dict[str, Any] = {}
    for word, name in STARTUP_WORDS.items():
        text = properties.get(f"{STARTUP}{word}")
        if text is not None:
            number = isinstance(getattr(usual, name), int)
            given[name] = (int(text) if text.isdecimal() else 0) if number else text
    yield replace(usual, **given)
