"""The parts of a System's components that a package carries beside disks and hardware; a secret is never among them."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.orchestration.common.room import Room
from gateway.orchestration.machine_core.facts import InterfaceEntry, KeptMachine, OwnDisk
from gateway.orchestration.networks.assignment import LINK, is_reserved
from gateway.orchestration.networks.facts import KeptAddress, KeptNetwork
from gateway.orchestration.networks.host_network import network_path
from gateway.orchestration.networks.membership import ENTRY
from gateway.orchestration.systems.packages.carrying import Carrying, some, symbol, written
from gateway.orchestration.systems.packages.parts import Parts
from gateway.store.model import Document, Resource

RANGES = ("cidr", "cidr6")


class ComponentDescription:
    """The description of one System's components.

    A resource that several Systems have stands where it is met first; one that a Machine uses, where the Machine is.
    """

    def __init__(self, room: Room, parts: Parts, carrying: Carrying) -> None:
        self._room = room
        self._store = room.store
        self._parts = parts
        self.carrying = carrying

    async def existing(self, path: str) -> Resource:
        """Return the resource at a path. Raises Conflict when it is gone."""
        resource = await self._store.get(path)
        if resource is None:
            raise Conflict(f"{path} is gone")
        return resource

    def _first(self, path: str) -> bool:
        """Return whether what is at a path had no place in the package yet; it has one then."""
        if path in self._parts.carried:
            return False
        self._parts.carried.add(path)
        return True

    async def network(self, path: str, name: str | None = None, *, member: bool = False) -> str:
        """Return the Network's name in the package.

        A network of the host's is no part of the System, unless that says so.
        """
        network = await self.existing(path)
        document = network.document
        called = name or document.get("name") or path.rpartition("/")[2]
        identity = self._parts.network(path, called, document.get("description", ""), document.get("networkType", ""))
        if (member or not KeptNetwork.of(network).host_network) and self._first(path):
            self.carrying.place("Network", path, identity, document, network_template(network))
        return identity

    def volume(self, volume: Resource, disk: str) -> None:
        """Enter what of a Volume its Disk does not say."""
        if self._first(volume.path):
            self.carrying.place("Volume", volume.path, disk, volume.document, volume_template(volume))

    async def credential(self, credential: Resource, name: str | None = None) -> None:
        """Enter a Credential, without its password."""
        if self._first(credential.path):
            template = {key: credential.document.get(key) for key in ("userName", "key")}
            self.carrying.add("Credential", credential.path, called(credential, name), template)

    async def port(self, port: Resource, name: str | None = None, *, referred: bool = False) -> str:
        """Return the port's name among the carried ones; a System that has it only by the way has it under its own."""
        if self._first(port.path):
            document = port.document
            config = {key: document.get(key) for key in ("portType", "classOfService")}
            template = {
                "network": symbol(await self.network(document["network"]["href"])),
                "networkPortConfig": some(config),
                "macAddress": document["macAddress"],
            }
            self.carrying.add("NetworkPort", port.path, called(port, name), template, referred=referred)
        return self.carrying.name_of(port.path) or ""

    async def address(self, address: Resource, name: str | None = None, *, referred: bool = False) -> str:
        """Return the Address's name among the carried ones; empty for one that a guest reported."""
        if is_reserved(address) and self._first(address.path):
            network = symbol(await self.network(address.document["network"]["href"]))
            template = {**address_template(address), "network": network}
            self.carrying.add("Address", address.path, called(address, name), template, referred=referred)
        return self.carrying.name_of(address.path) or ""

    async def group(self, group: Resource, name: str | None = None) -> None:
        """Enter a ForwardingGroup with its Networks that are in the package; what others joined is theirs."""
        if not self._first(group.path):
            return
        entries = await self._store.children(group.path, ENTRY)
        joined = [entry.document["network"]["href"] for entry in entries]
        networks = [symbol(self._parts.networks[path].name) for path in joined if path in self._parts.networks]
        gone = [path for path in joined if path not in self._parts.networks]
        self._parts.notes += [f"{path} of {group.path}: nothing in the package is on that Network" for path in gone]
        self.carrying.add("ForwardingGroup", group.path, called(group, name), {"networks": networks})

    # Machines

    async def machine(self, machine: Resource, volumes: list[Document], made: list[Document], credential: str) -> str:
        """Return the carried MachineTemplate; ``volumes`` and ``made`` are its entries of Volumes, in their order."""
        kept = KeptMachine.of(machine)
        interfaces = [
            await self._interface(machine, kept.host, entry, place) for place, entry in enumerate(kept.interfaces)
        ]
        disks = [disk_entry(disk) for disk in kept.disks]
        template = {
            "machineConfig": some({"disks": disks, "cpuArch": machine.document.get("cpuArch")}),
            "credential": symbol(credential) if credential else None,
            "volumes": volumes,
            "volumeTemplates": made,
            "networkInterfaces": interfaces,
        }
        return written("MachineTemplate", some(template))

    async def _interface(self, machine: Resource, host: str, entry: InterfaceEntry, place: int) -> Document:
        usual = network_path(self._room.hypervisors[host])
        # XML cannot tell an interface of which nothing is said from none.
        template: Document = {"state": "Active" if entry.up else "Passive", "mtu": entry.mtu}
        if entry.network_path != usual:
            template["network"] = symbol(await self.network(entry.network_path))
        if entry.port is not None:
            template["networkPort"] = symbol(await self.port(await self.existing(entry.port), referred=True))
        identity = entry.id if entry.id is not None else place
        template["addresses"] = await self._addresses(f"{machine.path}/networkInterfaces/{identity}")
        return some(template)

    async def _addresses(self, interface: str) -> list[Document]:
        """Return the Addresses of an interface; those that were given by value go with their Machine, and come so."""
        listed = []
        for entry in await self._store.children(interface, LINK):
            address = await self._store.get(entry.document["address"]["href"])
            if address is None or not is_reserved(address):
                continue
            if KeptAddress.of(address).for_machine:
                listed.append(address_template(address))
            else:
                listed.append(symbol(await self.address(address, referred=True)))
        return listed


def called(resource: Resource, name: str | None) -> Document:
    """Return the document of a resource under the name of its membership."""
    return {**resource.document, "name": name or resource.name}


def network_template(network: Resource) -> Document:
    """Return the template of a Network. ``cidr`` is a wish: an import takes another where that range is in use."""
    names = ("networkType", "mtu", "classOfService")
    config = {name: network.document.get(name) for name in names}
    if not KeptNetwork.of(network).host_network:
        config.update({name: network.document.get(name) for name in RANGES})
    state = "STOPPED" if network.state == "STOPPED" else None
    return some({"initialState": state, "networkConfig": some(config)})


def volume_template(volume: Resource) -> Document:
    """Return the template of a Volume, without the format, which is the pool's affair."""
    kind = volume.document.get("type")
    config = {"type": kind} if kind != "mapped" else {}
    image = {"bootable": True} if volume.document.get("bootable") else {}
    return some({"volumeConfig": config, "volumeImage": image})


def address_template(address: Resource) -> Document:
    """Return the template of an Address, without what follows from its Network. A dynamic one is chosen anew."""
    document = address.document
    names = ("hostname", "allocation", "protocol", *(() if document["allocation"] == "dynamic" else ("ip",)))
    return some({name: document.get(name) for name in names})


def disk_entry(disk: OwnDisk) -> Document:
    """Return what a configuration says of a disk: where it is, and so where it is to be again."""
    return {"capacity": disk.capacity, "initialLocation": disk.location or f"/dev/{disk.target}"}
