"""From a SystemTemplate to the descriptor of a package: images in place of disks, each component by itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.room import Room
from gateway.orchestration.systems.blueprint import KINDS, Component, blueprint
from gateway.orchestration.systems.packages.parts import Described, Parts, demand_some, file_name, unique
from gateway.orchestration.systems.packages.sections import eulas_of, products_of, startup_of
from gateway.orchestration.systems.packages.template_components import Referred, TemplateComponents
from gateway.orchestration.systems.packages.template_machines import TemplateMachines
from gateway.orchestration.systems.secrets import whole
from gateway.ovf.model import Content, StartupItem, VirtualSystemCollection
from gateway.store.model import Document, Resource


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The package around a collection: its parts, the ids taken in it, and the scope of the collection above."""

    parts: Parts
    taken: set[str] = field(default_factory=set)
    scope: str = ""


class TemplateDescription:
    """The description of a SystemTemplate with those inside, for a caller who sees what they refer to."""

    def __init__(self, room: Room, caller: Caller) -> None:
        self._referred = Referred(room.store, caller)

    async def describe(self, template: Resource) -> Described:
        """Return what of a template is to be written.

        Raises Invalid or Conflict, naming the descriptor, for what a System could not be made of either.
        """
        parts = Parts(file_name(template.name or template.path.rpartition("/")[2]))
        name = template.name or template.path.rpartition("/")[2]
        content = await self._collection(name, template.document, whole(template), Surroundings(parts))
        demand_some(content)
        return parts.described(content)

    async def _collection(
        self, name: str, own: Document, template: Document, around: Surroundings
    ) -> VirtualSystemCollection:
        identity = unique(name, around.taken)
        drawn = blueprint(template)
        one = TemplateComponents(self._referred, around.parts, drawn.components, f"{around.scope}/{identity}")
        machines = TemplateMachines(one)
        content: list[Content] = []
        startup: list[StartupItem] = []
        for component in sorted(drawn.components, key=lambda component: (component.place, component.key)):
            made = await self._content(component, one, machines, around.taken)
            if made is not None:
                content.append(made)
                startup.extend(startup_of(made.id, component.document.get("properties", {})))
        alone = await one.rest()
        return VirtualSystemCollection(
            id=identity,
            info="A System",
            annotation=own.get("description", ""),
            products=products_of(own.get("properties", {}), alone),
            eulas=eulas_of(own.get("properties", {})),
            startup=tuple(startup),
            content=tuple(content),
            template=one.carrying.text(),
        )

    async def _content(
        self, component: Component, one: TemplateComponents, machines: TemplateMachines, taken: set[str]
    ) -> Content | None:
        name = component.name or f"{component.kind.lower()}-{component.key}"
        document = component.document
        if component.kind == "Machine":
            return await machines.describe(component, unique(name, taken))
        if component.kind == "System":
            attribute = KINDS["System"]
            inside = await self._referred.template(document[attribute], "SystemTemplate", component, attribute)
            return await self._collection(name, document, inside, Surroundings(one.parts, taken, one.scope))
        return None
