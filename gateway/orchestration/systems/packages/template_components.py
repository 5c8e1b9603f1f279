"""The components of a SystemTemplate as parts of a package: networks, disks, and what is carried beside them."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.images.facts import KeptImage
from gateway.orchestration.machines.templates import with_secrets
from gateway.orchestration.systems.blueprint import KINDS, Component
from gateway.orchestration.systems.packages.carrying import Carrying, some, symbol
from gateway.orchestration.systems.packages.component_describing import RANGES
from gateway.orchestration.systems.packages.composing_machines import kilobytes
from gateway.orchestration.systems.packages.parts import Parts, StoredDisk
from gateway.orchestration.systems.secrets import whole
from gateway.store.model import Document, Resource
from gateway.store.reading import Reading

NEAR = ("Credential", "NetworkPort", "Address", "ForwardingGroup")
"""What a package carries by its template alone."""


class Referred:
    """Resources that templates refer to, for a caller who sees it. Errors name the descriptor and the attribute."""

    def __init__(self, store: Reading, caller: Caller) -> None:
        self.store = store
        self._caller = caller

    async def template(self, given: Document, kind: str, component: Component, where: str) -> Document:
        """Return a template or configuration with what stands beside its href."""
        below: Document = {}
        if "href" in given:
            place = f"{component.place_in_template}.{where}"
            template = await resolve(self.store, self._caller, given["href"], (kind,), place)
            below = whole(template) if kind == "SystemTemplate" else with_secrets(template)
        return merged(below, given)

    async def resource(self, href: str, kinds: tuple[str, ...], component: Component, where: str) -> Resource:
        """Return a resource of one of these kinds. Raises Invalid for one that the caller does not see."""
        return await resolve(self.store, self._caller, href, kinds, f"{component.place_in_template}.{where}")

    async def image(self, given: Document, kind: str, component: Component, where: str) -> Resource:
        """Return an image with bytes of its own. Raises Conflict for another one."""
        image = await self.resource(given.get("href", ""), (kind,), component, where)
        if image.state != "AVAILABLE" or KeptImage.of(image).volume is None:
            place = f"{component.place_in_template}.{where}"
            raise Conflict(f"{place}: the image is {image.state}, or has no bytes of its own")
        return image


class TemplateComponents:
    """The components of one template, but for its Machines and the templates inside."""

    def __init__(self, referred: Referred, parts: Parts, components: tuple[Component, ...], scope: str) -> None:
        self.parts = parts
        self.scope = scope
        self.carrying = Carrying("SystemTemplate")
        self.referred = referred
        self._components = {component.key: component for component in components}
        self._disks: dict[str, str] = {}
        """Key of a Volume to its Disk."""

    def linked(self, component: Component, *way: str | int) -> Component | None:
        """Return what the reference by name at this place of the component's template means; None where is none."""
        place = (KINDS[component.kind], *way)
        return next((self._components[key] for at, key in component.links if at == place), None)

    async def rest(self) -> list[str]:
        """Enter what no Machine led to. Returns the ids of the Disks that no Machine has."""
        alone = []
        for component in self._components.values():
            if component.kind == "Network":
                await self.network(component)
            elif component.kind == "Volume" and component.key not in self._disks:
                alone.append(await self.volume(component))
            elif component.kind in NEAR:
                await self.near(component)
        return alone

    def _key(self, component: Component) -> str:
        return f"{self.scope}/{component.key}"

    async def network(self, component: Component) -> str:
        """Return the Network's name in the package."""
        attribute = KINDS["Network"]
        given = component.document[attribute]
        template = await self.referred.template(given, "NetworkTemplate", component, attribute)
        where = f"{attribute}.networkConfig"
        config = await self.referred.template(
            template.get("networkConfig") or {}, "NetworkConfiguration", component, where
        )
        kind = config.get("networkType", "PRIVATE")
        description = component.document.get("description", "")
        name = component.name or f"network-{component.key}"
        identity = self.parts.network(self._key(component), name, description, kind)
        group = self.linked(component, "forwardingGroup")
        said = ("networkType", "mtu", "classOfService", *RANGES)
        carried = {
            "initialState": template.get("initialState"),
            "networkConfig": some({name: config.get(name) for name in said}),
            "forwardingGroup": symbol(group.name or "") if group is not None else None,
        }
        self.carrying.place("Network", self._key(component), identity, component.document, carried)
        return identity

    async def network_at(self, component: Component, given: Document | None, *way: str | int) -> str:
        """Return the name of the network that a reference means: a component, or one that is there."""
        linked = self.linked(component, *way)
        if linked is not None:
            return await self.network(linked)
        path = (given or {}).get("href", "default")
        network = await self.referred.store.get(path)
        name = (network.name if network is not None else None) or path.rpartition("/")[2]
        return self.parts.network(path, name, "", "")

    async def network_of_port(self, component: Component) -> str:
        """Return the name of the network that a NetworkPort is on."""
        attribute = KINDS["NetworkPort"]
        given = component.document[attribute]
        template = await self.referred.template(given, "NetworkPortTemplate", component, attribute)
        return await self.network_at(component, template.get("network"), "network")

    async def volume(self, component: Component) -> str:
        """Return the id of the Volume's Disk."""
        if component.key not in self._disks:
            attribute = KINDS["Volume"]
            disk, carried = await self.new_volume(component, component.document[attribute], attribute, component.name)
            self._disks[component.key] = disk
            self.carrying.place("Volume", self._key(component), disk, component.document, carried)
        return self._disks[component.key]

    async def new_volume(
        self, component: Component, given: Document, where: str, name: str | None, use: str = ""
    ) -> tuple[str, Document]:
        """Return the id of the Disk of a Volume by this template, and what the Disk does not say."""
        template = await self.referred.template(given, "VolumeTemplate", component, where)
        place = f"{where}.volumeConfig"
        given = template.get("volumeConfig") or {}
        config = await self.referred.template(given, "VolumeConfiguration", component, place)
        said: Document = {"volumeConfig": some({name: config.get(name) for name in ("type", "format")})}
        key, size, content = f"{self._key(component)}/{where}", config.get("capacity"), template.get("volumeImage")
        if not content:
            return self.parts.disk(key, size or 1, name or "", None, use), some(said)
        image = await self.referred.image(content, "VolumeImage", component, f"{where}.volumeImage")
        if content.get("bootable", image.document.get("bootable")):
            said["volumeImage"] = {"bootable": True}
        return self.image_disk(image, key, size, name or "", use), some(said)

    def image_disk(self, image: Resource, key: str, size: int | None, name: str, use: str = "") -> str:
        """Return the id of the Disk of what is made of an image; ``size`` in kilobytes.

        Every component that is made of an image has a disk of its own, and so a file.
        """
        kept = KeptImage.of(image)
        source = StoredDisk(
            host=kept.host,
            pool=kept.pool or "",
            volume=kept.volume or "",
            format=kept.format or "",
            as_it_is=True,
        )
        self.parts.locks.append(image.path)
        return self.parts.disk(key, size or kilobytes(kept.virtual_size or 0), name, source, use)

    async def near(self, component: Component, *, referred: bool = False) -> str:
        """Return the name that a component is carried by for which OVF has no words."""
        key, attribute = self._key(component), KINDS[component.kind]
        name = self.carrying.name_of(key)
        if name is not None:
            return name
        given = component.document[attribute]
        template = await self.referred.template(given, f"{component.kind}Template", component, attribute)
        carried = {
            "Credential": self._credential,
            "NetworkPort": self._port,
            "Address": self._address,
            "ForwardingGroup": self._group,
        }[component.kind]
        said = await carried(component, template)
        return self.carrying.add(component.kind, key, component.document, said, referred=referred)

    async def _credential(self, _component: Component, template: Document) -> Document:
        return without_password(template)

    async def _port(self, component: Component, template: Document) -> Document:
        place = f"{KINDS['NetworkPort']}.networkPortConfig"
        given = template.get("networkPortConfig") or {}
        config = await self.referred.template(given, "NetworkPortConfiguration", component, place)
        said = {name: config.get(name) for name in ("portType", "classOfService")}
        network = symbol(await self.network_at(component, template.get("network"), "network"))
        return {"network": network, "networkPortConfig": some(said), "macAddress": template.get("macAddress")}

    async def _address(self, component: Component, template: Document) -> Document:
        network = symbol(await self.network_at(component, template.get("network"), "network"))
        return {**template, "network": network}

    async def _group(self, component: Component, template: Document) -> Document:
        listed = template.get("networks") or []
        names = [await self.network_at(component, given, "networks", place) for place, given in enumerate(listed)]
        return {"networks": [symbol(name) for name in names]}


def without_password(credential: Document) -> Document:
    """Return what of a Credential may be told: who, and the public key."""
    return some({name: credential.get(name) for name in ("userName", "key")})
