"""From a SystemTemplate to the descriptor of a package: images in place of disks, each component by itself."""

from __future__ import annotations

from typing import Any

from gateway.errors import Conflict
from gateway.orchestration.machines.secrets import with_secrets
from gateway.orchestration.references import merged, resolve
from gateway.orchestration.resources import Room
from gateway.orchestration.service import Caller
from gateway.orchestration.systems.blueprint import Component, blueprint
from gateway.orchestration.systems.packages.composing import kilobytes
from gateway.orchestration.systems.packages.describing import (
    Described,
    Parts,
    demand_some,
    eulas_of,
    file_name,
    hardware_of,
    operating_system_of,
    port_item,
    products_of,
    startup_of,
    unique,
)
from gateway.orchestration.systems.secrets import whole
from gateway.ovf.model import Content, Item, StartupItem, VirtualSystem, VirtualSystemCollection
from gateway.store.model import Document, Resource

MACHINE, VOLUME, NETWORK, SYSTEM = "machineTemplate", "volumeTemplate", "networkTemplate", "systemTemplate"


class TemplateDescription:
    """Of a SystemTemplate with those inside, for a caller who sees what they refer to."""

    def __init__(self, room: Room, caller: Caller) -> None:
        self.store = room.store
        self._caller = caller

    async def describe(self, template: Resource) -> Described:
        """Raises Invalid or Conflict, naming the descriptor, for what a System could not be made of either."""
        parts = Parts(file_name(template.name or template.path.rpartition("/")[2]))
        name = template.name or template.path.rpartition("/")[2]
        content = await self._collection(name, template.document, whole(template), parts, set(), "")
        demand_some(content)
        return parts.described(content)

    async def _collection(
        self, name: str, own: Document, template: Document, parts: Parts, taken: set[str], scope: str
    ) -> VirtualSystemCollection:
        identity = unique(name, taken)
        drawn = blueprint(template)
        components = {component.key: component for component in drawn.components}
        one = _Template(self, parts, components, f"{scope}/{identity}")
        content: list[Content] = []
        startup: list[StartupItem] = []
        for component in sorted(drawn.components, key=lambda found: (found.place, found.key)):
            made = await self._content(component, one, taken)
            if made is not None:
                content.append(made)
                startup.extend(startup_of(made.id, component.document.get("properties", {})))
        for component in drawn.components:
            if component.kind == "Network":
                await one.network(component)
        alone = [await one.volume(found) for found in drawn.components if found.kind == "Volume" and one.unused(found)]
        return VirtualSystemCollection(
            id=identity,
            info="A System",
            annotation=own.get("description", ""),
            products=products_of(own.get("properties", {}), alone),
            eulas=eulas_of(own.get("properties", {})),
            startup=tuple(startup),
            content=tuple(content),
        )

    async def _content(self, component: Component, one: _Template, taken: set[str]) -> Content | None:
        name = component.name or f"{component.kind.lower()}-{component.key}"
        document = component.document
        if component.kind == "Machine":
            return await one.machine(component, unique(name, taken))
        if component.kind == "System":
            inside = await self.referred(document[SYSTEM], "SystemTemplate", component, SYSTEM)
            return await self._collection(name, document, inside, one.parts, taken, one.scope)
        return None

    async def referred(self, given: Document, kind: str, component: Component, where: str) -> Document:
        """A template or configuration with what stands beside its href."""
        below: Document = {}
        if "href" in given:
            place = f"{component.place_in_template}.{where}"
            found = await resolve(self.store, self._caller, given["href"], (kind,), place)
            below = whole(found) if kind == "SystemTemplate" else with_secrets(found)
        return merged(below, given)

    async def image(self, given: Document, kind: str, component: Component, where: str) -> Resource:
        place = f"{component.place_in_template}.{where}"
        image = await resolve(self.store, self._caller, given.get("href", ""), (kind,), place)
        if image.state != "AVAILABLE" or "volume" not in image.internal:
            raise Conflict(f"{place}: the image is {image.state}, or has no bytes of its own")
        return image


class _Template:
    """The components of one template."""

    def __init__(self, whole: TemplateDescription, parts: Parts, components: dict[str, Component], scope: str) -> None:
        self.parts = parts
        self.scope = scope
        self._whole = whole
        self._components = components
        self._used: set[str] = set()

    def unused(self, component: Component) -> bool:
        return component.key not in self._used

    async def machine(self, component: Component, identity: str) -> VirtualSystem:
        whole = self._whole
        template = await whole.referred(component.document[MACHINE], "MachineTemplate", component, MACHINE)
        config = await whole.referred(
            template.get("machineConfig") or {}, "MachineConfiguration", component, f"{MACHINE}.machineConfig"
        )
        where = f"{MACHINE}.machineImage"
        image = await whole.image(template.get("machineImage") or {}, "MachineImage", component, where)
        asked = config.get("disks") or [{}]
        size = asked[0].get("capacity") or kilobytes(image.internal["virtual_size"])
        disks = [self._image_disk(image, component.key, size, component.name or "")]
        for place, disk in enumerate(asked[1:], 2):
            key = f"{self.scope}/{component.key}/{place}"
            disks.append(self.parts.disk(key, disk["capacity"], f"{component.name} disk {place}", None))
        disks += [await self.volume(found) for found in self._linked(component, "volumes")]
        ports = [await self._port(entry, place, component) for place, entry in enumerate(_interfaces(template))]
        properties = component.document.get("properties", {})
        told = "environment" in template
        return VirtualSystem(
            id=identity,
            info="A Machine",
            annotation=component.document.get("description", ""),
            products=products_of(properties),
            eulas=eulas_of(properties),
            operating_system=operating_system_of(properties),
            hardware=(hardware_of(config.get("cpu", 1), config.get("memory", 0), disks, ports, told=told),),
        )

    def _linked(self, component: Component, attribute: str) -> list[Component]:
        """The components that the entries of a list of the Machine's template refer to by name."""
        found = [key for way, key in component.links if len(way) > 1 and way[1] == attribute]
        return [self._components[key] for key in found]

    async def _port(self, entry: Document, place: int, component: Component) -> Item:
        linked = [
            key
            for way, key in component.links
            if way[:3] == (MACHINE, "networkInterfaces", place) and self._components[key].kind == "Network"
        ]
        connected = entry.get("state", "Active") == "Active"
        if linked:
            return port_item(await self.network(self._components[linked[0]]), "", connected)
        path = (entry.get("network") or {}).get("href", "default")
        found = await self._whole.store.get(path)
        name = (found.name if found is not None else None) or path.rpartition("/")[2]
        return port_item(self.parts.network(path, name, "", ""), "", connected)

    async def network(self, component: Component) -> str:
        given = component.document[NETWORK]
        template = await self._whole.referred(given, "NetworkTemplate", component, NETWORK)
        where = f"{NETWORK}.networkConfig"
        config = await self._whole.referred(
            template.get("networkConfig") or {}, "NetworkConfiguration", component, where
        )
        kind = config.get("networkType", "PRIVATE")
        description = component.document.get("description", "")
        name = component.name or f"network-{component.key}"
        return self.parts.network(f"{self.scope}/{component.key}", name, description, kind)

    async def volume(self, component: Component) -> str:
        self._used.add(component.key)
        given = component.document[VOLUME]
        template = await self._whole.referred(given, "VolumeTemplate", component, VOLUME)
        where = f"{VOLUME}.volumeConfig"
        config = await self._whole.referred(template.get("volumeConfig") or {}, "VolumeConfiguration", component, where)
        size, name = config.get("capacity", 1), component.name or ""
        if template.get("volumeImage"):
            where = f"{VOLUME}.volumeImage"
            image = await self._whole.image(template["volumeImage"], "VolumeImage", component, where)
            return self._image_disk(image, component.key, size, name)
        return self.parts.disk(f"{self.scope}/{component.key}", size, name, None)

    def _image_disk(self, image: Resource, key: str, size: int, name: str) -> str:
        """Every component that is made of an image has a disk of its own, and so a file."""
        source: dict[str, Any] = {name: image.internal[name] for name in ("host", "pool", "volume", "format")}
        self.parts.locks.append(image.path)
        return self.parts.disk(f"{self.scope}/{key}", size, name, {**source, "as_it_is": True})


def _interfaces(template: Document) -> list[Document]:
    return template.get("networkInterfaces") or []
