"""The Machines of a SystemTemplate as virtual systems of a package."""

from __future__ import annotations

from gateway.orchestration.common.references import OWN, merged
from gateway.orchestration.systems.blueprint import KINDS, Component
from gateway.orchestration.systems.packages.carrying import some, symbol, written
from gateway.orchestration.systems.packages.component_describing import volume_template
from gateway.orchestration.systems.packages.describing import packed_volume
from gateway.orchestration.systems.packages.sections import (
    eulas_of,
    hardware_of,
    operating_system_of,
    port_item,
    products_of,
)
from gateway.orchestration.systems.packages.template_components import TemplateComponents, without_password
from gateway.ovf.model import OWN_DISK, TEMPLATE_VOLUME, Item, VirtualSystem
from gateway.store.model import Document

MACHINE = KINDS["Machine"]
CONFIGURED = ("cpu", "memory", "cpuArch", "cpuSpeed")
OF_DISK = ("capacity", "format", "initialLocation")


class TemplateMachines:
    """The Machines of one template."""

    def __init__(self, components: TemplateComponents) -> None:
        self._all = components
        self._referred = components.referred

    async def describe(self, component: Component, identity: str) -> VirtualSystem:
        """Return what of a Machine is to be written. Raises what a create would, and Conflict for what has no bytes."""
        template = await self._referred.template(component.document[MACHINE], "MachineTemplate", component, MACHINE)
        where, given = f"{MACHINE}.machineConfig", template.get("machineConfig") or {}
        config = await self._referred.template(given, "MachineConfiguration", component, where)
        disks = await self._disks(component, template, config)
        volumes = [await self._volume(component, entry, place) for place, entry in entries(template, "volumes")]
        made = [await self._made(component, entry, place) for place, entry in entries(template, "volumeTemplates")]
        faces = [
            await self._interface(component, entry, place) for place, entry in entries(template, "networkInterfaces")
        ]
        carried = {
            "initialState": template.get("initialState"),
            "machineConfig": some({**{name: config.get(name) for name in CONFIGURED}, "disks": disk_entries(config)}),
            "credential": await self._credential(component, template.get("credential")),
            "volumes": [entry for _disk, entry in volumes],
            "volumeTemplates": [entry for _disk, entry in made],
            "networkInterfaces": [entry for _item, entry in faces],
        }
        properties = component.document.get("properties", {})
        disks += [disk for disk, _entry in (*volumes, *made)]
        ports = [item for item, _entry in faces]
        cpus, memory, awaits_environment = config.get("cpu", 1), config.get("memory", 0), "environment" in template
        return VirtualSystem(
            id=identity,
            info="A Machine",
            annotation=component.document.get("description", ""),
            products=products_of(properties),
            eulas=eulas_of(properties),
            operating_system=operating_system_of(properties),
            hardware=(hardware_of(cpus, memory, disks, ports, awaits_environment=awaits_environment),),
            template=written("MachineTemplate", some(carried)),
        )

    # Disks and Volumes

    async def _disks(self, component: Component, template: Document, config: Document) -> list[str]:
        """Return the ids of the Disks: of the image, then of the configuration's further ones.

        Disks that came with a package have content.
        """
        where = f"{MACHINE}.machineImage"
        image = await self._referred.image(template.get("machineImage") or {}, "MachineImage", component, where)
        wanted = config.get("disks") or [{}]
        key, name = f"{self._all.scope}/{component.key}", component.name or ""
        disks = [self._all.image_disk(image, key, wanted[0].get("capacity"), name)]
        for place, disk in enumerate(wanted[1:], 1):
            where, called = f"{MACHINE}.machineConfig.disks.{place}", f"{name} disk {place + 1}"
            if "content_image" not in disk:
                disks.append(self._all.parts.disk(f"{key}/{place}", disk["capacity"], called, None, OWN_DISK))
                continue
            content = await self._referred.image(disk["content_image"], "VolumeImage", component, where)
            disks.append(self._all.image_disk(content, f"{key}/{place}", disk["capacity"], called, OWN_DISK))
        return disks

    async def _volume(self, component: Component, entry: Document, place: int) -> tuple[str, Document]:
        """Return the id of a Volume's Disk, and the entry; one that is there goes along with what is on it."""
        where = some({"initialLocation": entry.get("initialLocation")})
        linked = self._all.linked(component, "volumes", place)
        if linked is not None:
            disk = await self._all.volume(linked)
            return disk, {**symbol(disk), **where}
        href, attribute = entry.get("href", ""), f"{MACHINE}.volumes.{place}"
        volume = await self._referred.resource(href, ("Volume",), component, attribute)
        disk = await packed_volume(self._referred.store, volume, self._all.parts, volume.name or "")
        self._all.carrying.place("Volume", volume.path, disk, volume.document, volume_template(volume))
        return disk, {**symbol(disk), **where}

    async def _made(self, component: Component, entry: Document, place: int) -> tuple[str, Document]:
        given = {name: value for name, value in entry.items() if name != "initialLocation"}
        where = f"{MACHINE}.volumeTemplates.{place}"
        disk, template = await self._all.new_volume(component, given, where, None, TEMPLATE_VOLUME)
        own = {name: entry.get(name) for name in (*OWN, "initialLocation")}
        return disk, some({**template, **own})

    # Interfaces

    async def _interface(self, component: Component, entry: Document, place: int) -> tuple[Item, Document]:
        way = ("networkInterfaces", place)
        port = self._all.linked(component, *way, "networkPort")
        network = await self._network(component, entry, place)
        carried = {
            "network": symbol(network) if "network" in entry else None,
            "networkPort": symbol(await self._all.near(port, referred=True)) if port is not None else None,
            "state": entry.get("state", "Active"),
            "mtu": entry.get("mtu"),
            "addresses": await self._addresses(component, entry, place),
        }
        return port_item(network, "", entry.get("state", "Active") == "Active"), some(carried)

    async def _network(self, component: Component, entry: Document, place: int) -> str:
        way = ("networkInterfaces", place)
        port = self._all.linked(component, *way, "networkPort")
        if "network" in entry or ("networkPort" not in entry and port is None):
            return await self._all.network_at(component, entry.get("network"), *way, "network")
        if port is not None:
            return await self._all.network_of_port(port)
        where = f"{MACHINE}.networkInterfaces.{place}.networkPort"
        outside = await self._referred.resource(entry["networkPort"]["href"], ("NetworkPort",), component, where)
        return await self._all.network_at(component, outside.document["network"])

    async def _addresses(self, component: Component, entry: Document, place: int) -> list[Document]:
        """Return the entries of Addresses. An Address that is there already is one Machine's alone, and stays."""
        addresses: list[Document] = []
        for number, given in entries(entry, "addresses"):
            way = ("networkInterfaces", place, "addresses", number)
            linked = self._all.linked(component, *way)
            where = ".".join(str(step) for step in (component.place_in_template, MACHINE, *way))
            if linked is not None:
                addresses.append(symbol(await self._all.near(linked, referred=True)))
            elif str(given.get("href", "")).startswith("addresses/"):
                self._all.parts.notes.append(f"{where}: {given['href']} is outside of the template")
            else:
                template = await self._referred.template(given, "AddressTemplate", component, where)
                addresses.append({name: value for name, value in template.items() if name != "network"})
        return addresses

    # Credentials

    async def _credential(self, component: Component, given: Document | None) -> Document | None:
        if given is None:
            return None
        linked = self._all.linked(component, "credential")
        if linked is not None:
            return symbol(await self._all.near(linked, referred=True))
        below: Document = {}
        if "href" in given:
            kinds, where = ("Credential", "CredentialTemplate"), f"{MACHINE}.credential"
            below = (await self._referred.resource(given["href"], kinds, component, where)).document
        return without_password(merged(below, given))


def entries(template: Document, name: str) -> list[tuple[int, Document]]:
    """Return the entries of a list in a template, with their places."""
    return list(enumerate(template.get(name) or []))


def disk_entries(config: Document) -> list[Document]:
    """Return what a configuration says of its disks."""
    return [some({name: disk.get(name) for name in OF_DISK}) for disk in config.get("disks") or []]
