"""From component descriptors to the components to make: names, types, numbers, who needs whom (DSP0263 5.13.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter

from gateway.cimi.edge import SYMBOL
from gateway.cimi.references import RefOrValue, schema_fields
from gateway.cimi.registry import TYPES
from gateway.cimi.system import ComponentDescriptorSchema
from gateway.errors import Invalid
from gateway.orchestration.common.references import OWN
from gateway.orchestration.systems.order import START_ORDER, start_order
from gateway.orchestration.systems.symbols import ANYTHING, Symbol, Way, symbols
from gateway.store.model import Document

MOST_COMPONENTS = 200
"""Components that a System may have, those of the Systems inside with them."""
DESCRIBED: dict[str, RefOrValue] = {
    name: member for name, member in schema_fields(ComponentDescriptorSchema).items() if isinstance(member, RefOrValue)
}
"""The members of a descriptor that hold a component's template."""
KINDS = {member.kind.removesuffix("Template"): name for name, member in DESCRIBED.items()}
WATCHING = {"Meter": "meterTemplates", "EventLog": "eventLogTemplate"}
"""What is made with the component that it is about: by this attribute of that one's template."""


@dataclass(frozen=True, slots=True)
class Component:
    """A resource to make."""

    key: str
    """The place of its descriptor and a number from 1: it tells the component from all others, after a crash too."""
    name: str | None
    kind: str
    document: Document
    """Its Create document, with references by name in it."""
    links: tuple[tuple[Way, str], ...] = ()
    """The way to each of those, and the key of the component that it means."""
    after: tuple[str, ...] = ()
    """Keys of others that have to be there first without being referred to."""

    @property
    def place(self) -> int:
        """Return the place of the component's descriptor in the template."""
        return int(self.key.partition(".")[0])

    @property
    def needs(self) -> frozenset[str]:
        """Return the keys of what has to be there before this component."""
        return frozenset((*(key for _, key in self.links), *self.after))

    @property
    def place_in_template(self) -> str:
        """Return the way to the component's descriptor in the template."""
        return f"componentDescriptors.{self.place}"

    @property
    def label(self) -> str:
        """Return what words for people call the component."""
        return self.place_in_template + (f" ({self.name!r})" if self.name else "")


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The components that a template makes, in an order in which they can be made.

    ``template`` is what is left for the System.
    """

    components: tuple[Component, ...]
    template: Document


@dataclass
class _Drawing:
    """A blueprint while it is drawn.

    ``where`` is the way to the template in the request, ending in a dot unless it is empty.
    """

    template: Document
    where: str
    components: dict[str, Component] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)
    """What may be said after ``#``, to the keys of what it means."""

    @property
    def descriptors(self) -> list[Document]:
        """Return the component descriptors of the template."""
        return self.template.get("componentDescriptors") or []

    def at(self, place: int, attribute: str = "") -> str:
        """Return the way to a descriptor, or an attribute of it, in the request."""
        return f"{self.where}componentDescriptors.{place}" + (f".{attribute}" if attribute else "")

    def blueprint(self) -> Blueprint:
        """Return what is drawn. Raises Invalid, naming the descriptor."""
        self._count()
        for place, descriptor in enumerate(self.descriptors):
            self._enter(place, descriptor)
        self._link()
        self._fold()
        self._order()
        return Blueprint(tuple(self._sorted()), self.template)

    # Which components there are

    def _count(self) -> None:
        number = sum(descriptor.get("quantity", 1) for descriptor in self.descriptors)
        if number > MOST_COMPONENTS:
            most = max(range(len(self.descriptors)), key=lambda place: self.descriptors[place].get("quantity", 1))
            raise Invalid(
                f"makes {number} components with the others; at most {MOST_COMPONENTS} are allowed",
                self.at(most, "quantity"),
            )

    def _enter(self, place: int, descriptor: Document) -> None:
        kind, attribute = self._kind(place, descriptor)
        own = {name: descriptor[name] for name in OWN if name in descriptor}
        document = {**own, attribute: descriptor[attribute]}
        quantity = descriptor.get("quantity", 1)
        name, keys = descriptor.get("name"), []
        for number in range(1, quantity + 1):
            numbered = f"{name}{number}" if name and quantity > 1 else name
            key = f"{place}.{number}"
            named = {**document, **({"name": numbered} if numbered else {})}
            self.components[key] = Component(key, numbered, kind, named)
            keys.append(key)
            if quantity > 1:
                self._call(numbered, [key], place)
        self._call(name, keys, place)

    def _kind(self, place: int, descriptor: Document) -> tuple[str, str]:
        kind = descriptor.get("type")
        named = f" ({descriptor['name']!r})" if descriptor.get("name") else ""
        if kind is None:
            raise Invalid(f"is missing{named}", self.at(place, "type"))
        if kind not in KINDS:
            kinds = ", ".join(sorted(KINDS))
            raise Invalid(f"{kind[:80]!r} is no type of a component{named}; there are {kinds}", self.at(place, "type"))
        given = [name for name in DESCRIBED if name in descriptor]
        for name in given:
            if name != KINDS[kind]:
                raise Invalid(f"does not belong to a component of type {kind}{named}", self.at(place, name))
        if not given:
            raise Invalid(f"is missing{named}: a component of type {kind} is made by it", self.at(place, KINDS[kind]))
        return kind, KINDS[kind]

    def _call(self, name: str | None, keys: list[str], place: int) -> None:
        if name is None:
            return
        if name in self.named:
            other = self.components[self.named[name][0]].place
            raise Invalid(f"{name!r} is the name of another component: see {self.at(other)}", self.at(place, "name"))
        self.named[name] = keys

    # Who refers to whom

    def _link(self) -> None:
        for key, component in list(self.components.items()):
            links = tuple((symbol.way, self._target(component, symbol)) for symbol in self._symbols(component))
            self.components[key] = replace(component, links=links)

    def _symbols(self, component: Component) -> Iterator[Symbol]:
        attribute = KINDS[component.kind]
        yield from symbols(DESCRIBED[attribute], component.document[attribute], (attribute,))

    def _target(self, component: Component, symbol: Symbol) -> str:
        where = self.at(component.place, symbol.where)
        keys = self.named.get(symbol.name)
        if keys is None:
            raise Invalid(f"no component is named {symbol.name[:80]!r} in this template", where)
        kind = self.components[keys[0]].kind
        if symbol.kind not in (kind, ANYTHING):
            raise Invalid(f"{symbol.name!r} is a {kind}, and a {symbol.kind} belongs here", where)
        if len(keys) == 1:
            return keys[0]
        mine = [key for key, other in self.components.items() if other.place == component.place]
        if len(mine) != len(keys):
            words = f"{symbol.name!r} is made {len(keys)} times, and this component {len(mine)} times"
            raise Invalid(f"{words}; name one of them: {SYMBOL}{symbol.name}1", where)
        return keys[mine.index(component.key)]

    # Meters and event logs are made with what they are about

    def _fold(self) -> None:
        for key, component in list(self.components.items()):
            if component.kind in WATCHING:
                del self.components[key]
                self._fold_one(component)

    def _fold_one(self, watching: Component) -> None:
        given = KINDS[watching.kind]
        entry = {name: value for name, value in watching.document[given].items() if name != "targetResource"}
        if watching.kind == "Meter":
            entry.update({name: watching.document[name] for name in OWN if name in watching.document})
        if any(way != (given, "targetResource") for way, _ in watching.links):
            raise Invalid("cannot be by name", self.at(watching.place, given))
        if not watching.links:
            if "targetResource" in watching.document[given]:
                words = "is the System itself when it is left out, or one of its components by name"
                raise Invalid(words, self.at(watching.place, f"{given}.targetResource"))
            self.template = self._with(self.template, watching, entry)
            return
        target = self.components.get(watching.links[0][1])
        if target is None or target.kind in WATCHING:
            raise Invalid(f"is no resource that can have a {watching.kind}", self.at(watching.place, given))
        attribute = KINDS[target.kind]
        changed = {**target.document, attribute: self._with(target.document[attribute], watching, entry, target.kind)}
        self.components[target.key] = replace(target, document=changed)

    def _with(self, template: Document, watching: Component, entry: Document, kind: str = "System") -> Document:
        """Return the template that makes the Meter or EventLog, too."""
        attribute = WATCHING[watching.kind]
        if attribute not in TYPES[f"{kind}Template"].attributes:
            where = self.at(watching.place, f"{KINDS[watching.kind]}.targetResource")
            raise Invalid(f"is a {kind}, which has no {watching.kind}", where)
        if watching.kind == "Meter":
            return {**template, attribute: [*(template.get(attribute) or []), entry]}
        if template.get(attribute) is not None:
            raise Invalid("its target has an event log already", self.at(watching.place, KINDS[watching.kind]))
        return {**template, attribute: entry}

    # In which order

    def _order(self) -> None:
        """Let what is to be started later be made later."""
        orders = {
            key: self._start_order(component)
            for key, component in self.components.items()
            if component.kind in ("Machine", "System")
        }
        for key, order in orders.items():
            earlier = tuple(other for other, its in orders.items() if its < order)
            self.components[key] = replace(self.components[key], after=earlier)

    def _start_order(self, component: Component) -> int:
        try:
            return start_order(component.document.get("properties"))
        except ValueError as error:
            raise Invalid(str(error), self.at(component.place, f"properties.{START_ORDER}")) from None

    def _sorted(self) -> Iterator[Component]:
        graph = {key: component.needs for key, component in self.components.items()}
        try:
            for key in TopologicalSorter(graph).static_order():
                yield self.components[key]
        except CycleError as error:
            circle = [self.components[key] for key in reversed(error.args[1])]
            words = " -> ".join(component.name or component.label for component in circle)
            raise Invalid(f"the components need each other in a circle: {words}", self.at(circle[0].place)) from None


def blueprint(template: Document, where: str = "") -> Blueprint:
    """Return the components that a template describes.

    Raises Invalid, naming the descriptor, for everything that is wrong with descriptors whatever else there is.
    """
    return _Drawing(template, where).blueprint()
