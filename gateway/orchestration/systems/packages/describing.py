"""From a System to the descriptor of a package, and to the disks that belong into it."""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import Conflict
from gateway.orchestration.attachments.facts import KeptAttachment
from gateway.orchestration.common.containment import member_of
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import InterfaceEntry, KeptMachine
from gateway.orchestration.machine_core.names import volume_of
from gateway.orchestration.systems.packages.carrying import Carrying, some, symbol
from gateway.orchestration.systems.packages.component_describing import ComponentDescription, volume_template
from gateway.orchestration.systems.packages.parts import Described, Parts, StoredDisk, demand_some, file_name, unique
from gateway.orchestration.systems.packages.sections import (
    eulas_of,
    hardware_of,
    operating_system_of,
    port_item,
    products_of,
    startup_of,
)
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.ovf.model import OWN_DISK, TEMPLATE_VOLUME, Content, Item, StartupItem, VirtualSystem
from gateway.ovf.model import VirtualSystemCollection as Collection
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading

COPIED = frozenset({"STARTED", "PAUSED", "STOPPED", "SUSPENDED"})
RUNS = frozenset({"STARTED", "PAUSED"})


class SystemDescription:
    """The description of a System with all Systems inside."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._store = room.store

    async def describe(self, system: Resource) -> Described:
        """Return what of a System is to be written. Raises Conflict while something of it is made, or removed."""
        parts = Parts(file_name(system.name or system.path.rpartition("/")[2]))
        content = await self._collection(system, parts, set(), frozenset())
        demand_some(content)
        return parts.described(content)

    async def _collection(self, system: Resource, parts: Parts, taken: set[str], around: frozenset[str]) -> Collection:
        if system.path in around:
            raise Conflict(f"{system.path} is inside itself")
        if system.state in ("CREATING", "DELETING"):
            raise Conflict(f"{system.path} is {system.state}; wait for its job")
        identity = unique(system.name or system.path.rpartition("/")[2], taken)
        components = ComponentDescription(self._room, parts, Carrying("System"))
        credentials = await self._members(system, "Credential")
        for name, credential in credentials:
            await components.credential(credential, name)
        machines = MachineDescription(self._store, parts, components, [credential for _, credential in credentials])
        content: list[Content] = []
        startup: list[StartupItem] = []
        for kind in ("Machine", "System"):
            for name, member in await self._members(system, kind):
                called = replace(member, document={**member.document, "name": name or member.name})
                made: Content
                if kind == "Machine":
                    made = await machines.describe(called, taken)
                else:
                    made = await self._collection(called, parts, taken, around | {system.path})
                content.append(made)
                startup.extend(startup_of(made.id, member.document.get("properties", {})))
        alone = await self._unattached(system, parts, components)
        await self._carry(system, components)
        properties = system.document.get("properties", {})
        return Collection(
            id=identity,
            info="A System",
            annotation=system.document.get("description", ""),
            products=products_of(properties, alone),
            eulas=eulas_of(properties),
            startup=tuple(startup),
            content=tuple(content),
            template=components.carrying.text(),
        )

    async def _members(self, system: Resource, kind: str) -> list[tuple[str | None, Resource]]:
        """Return the names of the memberships, and what they are of."""
        entries = await self._store.children(system.path, f"System{kind}")
        members = [(entry.name, await self._store.get(member_of(entry))) for entry in entries]
        return [(name, member) for name, member in members if member is not None]

    async def _unattached(self, system: Resource, parts: Parts, components: ComponentDescription) -> list[str]:
        """Return the ids of the Disks of Volumes in the System that no Machine has."""
        disks = []
        for name, volume in await self._members(system, "Volume"):
            if not KeptVolume.of(volume).attachments:
                disk = await packed_volume(self._store, volume, parts, name or volume.name or "")
                components.volume(volume, disk)
                disks.append(disk)
        return disks

    async def _carry(self, system: Resource, components: ComponentDescription) -> None:
        """Enter what no Machine led to. Groups come last, when it is known which Networks are in the package."""
        for name, network in await self._members(system, "Network"):
            await components.network(network.path, name, member=True)
        for name, port in await self._members(system, "NetworkPort"):
            await components.port(port, name)
        for name, address in await self._members(system, "Address"):
            await components.address(address, name)
        for name, group in await self._members(system, "ForwardingGroup"):
            await components.group(group, name)


class MachineDescription:
    """The description of the Machines of one System, some of which its Credentials may be for."""

    def __init__(
        self, store: Reading, parts: Parts, components: ComponentDescription, credentials: list[Resource]
    ) -> None:
        self._store = store
        self._parts = parts
        self._components = components
        self._credentials = credentials

    async def describe(self, machine: Resource, taken: set[str]) -> VirtualSystem:
        """Return what of a Machine is to be written. Raises Conflict while it cannot be copied."""
        if machine.state not in COPIED:
            raise Conflict(f"{machine.path} is {machine.state}; it can be exported when it is {', '.join(COPIED)}")
        self._parts.locks.append(machine.path)
        kept = KeptMachine.of(machine)
        disks = self._disks(machine)
        volumes: list[Document] = []
        made: list[Document] = []
        for attachment in await self._attachments(machine):
            disks.append(await self._attached(attachment, volumes, made))
        ports = [await self._port(entry) for entry in kept.interfaces]
        properties = machine.document.get("properties", {})
        cpus, memory = machine.document["cpu"], machine.document["memory"]
        awaits_environment = kept.seed.environment is not None
        return VirtualSystem(
            id=unique(machine.name or machine.path.rpartition("/")[2], taken),
            info="A Machine",
            annotation=machine.document.get("description", ""),
            products=products_of(properties),
            eulas=eulas_of(properties),
            operating_system=operating_system_of(properties),
            hardware=(hardware_of(cpus, memory, disks, ports, awaits_environment=awaits_environment),),
            template=await self._components.machine(machine, volumes, made, self._credential(machine)),
        )

    def _credential(self, machine: Resource) -> str:
        """Return the name of the Credential of the System whose key the guest was given; empty where it is none."""
        keys = KeptMachine.of(machine).seed.keys
        paths = (credential.path for credential in self._credentials if credential.document.get("key") in keys)
        return self._components.carrying.name_of(next(paths, "")) or ""

    def _disks(self, machine: Resource) -> list[str]:
        """Return the ids of the Disks of the Machine's own, the first of which it boots from."""
        kept, identities = KeptMachine.of(machine), []
        for place, disk in enumerate(kept.disks):
            source = StoredDisk(
                host=kept.host,
                pool=kept.pool,
                volume=volume_of(machine, disk),
                format=disk.format,
                machine=machine.path,
                target=disk.target,
            )
            name, key = f"{machine.name or 'machine'} {disk.target}", f"{machine.path}/{disk.target}"
            identities.append(self._parts.disk(key, disk.capacity, name, source, OWN_DISK if place else ""))
        return identities

    async def _attachments(self, machine: Resource) -> list[Resource]:
        """Return the Machine's MachineVolumes, by target."""
        paths = [path for _target, path in sorted(KeptMachine.of(machine).volumes.items())]
        attachments = [attachment for path in paths if (attachment := await self._store.get(path)) is not None]
        if any(attachment.held_by is not None for attachment in attachments):
            raise Conflict(f"a Volume is being connected to {machine.path}, or taken away; wait for that job")
        return attachments

    async def _attached(self, attachment: Resource, volumes: list[Document], made: list[Document]) -> str:
        """Return the id of the Volume's Disk; what the Machine says of it is added to one of the lists."""
        volume = await self._components.existing(attachment.document["volume"]["href"])
        where = {"initialLocation": attachment.document.get("initialLocation")}
        if nameless(volume):
            made.append(some({**volume_template(volume), **where}))
            return await packed_volume(self._store, volume, self._parts, "", TEMPLATE_VOLUME)
        disk = await packed_volume(self._store, volume, self._parts, volume.name or "")
        self._components.volume(volume, disk)
        volumes.append(some({**symbol(disk), **where}))
        return disk

    async def _port(self, entry: InterfaceEntry) -> Item:
        name = await self._components.network(entry.network_path)
        return port_item(name, entry.mac, entry.up)


def nameless(volume: Resource) -> bool:
    """Return whether a Volume is as those that Machines make by their volumeTemplates, and keep to themselves."""
    own = any(volume.document.get(name) for name in ("name", "description", "properties"))
    return not own and len(KeptVolume.of(volume).attachments) == 1


async def packed_volume(store: Reading, volume: Resource, parts: Parts, name: str, use: str = "") -> str:
    """Return the id of the Disk with what is on the Volume. Raises Conflict while that cannot be read."""
    if volume.state != "AVAILABLE":
        raise Conflict(f"{volume.path} is {volume.state}; it can be exported when it is AVAILABLE")
    kept = KeptVolume.of(volume)
    holders = list(kept.attachments.items())
    running = [(place, machine) for place, machine in holders if await _runs(store, machine)]
    if len(running) > 1:
        raise Conflict(f"several running Machines write {volume.path}; stop them first")
    source = StoredDisk(host=kept.host, pool=kept.pool, volume=kept.volume, format=kept.format)
    for place, machine in running or holders[:1]:
        attachment = await store.get(place)
        if attachment is not None:
            source = replace(source, machine=machine, target=KeptAttachment.of(attachment).target)
    parts.locks.append(volume.path)
    return parts.disk(volume.path, volume.document["capacity"], name, source, use)


async def _runs(store: Reading, path: str) -> bool:
    machine = await store.get(path)
    return machine is not None and machine.state in RUNS
