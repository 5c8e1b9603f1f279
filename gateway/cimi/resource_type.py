"""The description of a type of the standard, with all that the program needs to know of it besides attributes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from marshmallow import Schema

from gateway.cimi.bounds import LONGEST_NAME
from gateway.cimi.fields import Attribute, DateTime, Map, String
from gateway.cimi.filter import AttributeType
from gateway.cimi.references import CollectionRef, Ref, schema_fields

JSON = "application/json"


class Common(Schema):
    """The attributes that every resource has (DSP0263 5.4); id, created and updated are added at the edge.

    ``tolerated`` are names outside of the standard that old clients send; they are accepted and mean nothing.
    """

    tolerated: ClassVar = frozenset({"providerAccountId", "location", "visibility", "providerInfo", "providerInfos"})

    name = String(most_characters=LONGEST_NAME, meaning="human name")
    description = String(meaning="human text")
    created = DateTime(writable=False, meaning="time of creation")
    updated = DateTime(writable=False, meaning="time of the last explicit update")
    properties = Map(meaning="the consumer's own keys and values")


@dataclass(frozen=True, slots=True)
class Action:
    """An action of a type. ``parameters`` are the inputs of its Action document, or the query parameters and headers
    of one that takes none.

    ``method``, ``takes`` and ``gives`` (media types) are said where they are others than an action's usual ones;
    ``also`` are more methods that its URI takes. ``creates`` is the kind whose Create document is posted to the
    action's URI instead of an Action document; ``sent`` are media types of bytes that may be posted there instead, with
    the action's ``properties`` as query parameters. ``located``: the answer's Location is what the action makes.
    """

    verb: str
    description: str
    parameters: tuple[str, ...] = ()
    method: str = "POST"
    takes: str = JSON
    gives: str = JSON
    also: tuple[str, ...] = ()
    creates: str | None = None
    sent: tuple[str, ...] = ()
    located: bool = False
    once: bool = False
    """The action takes an Idempotency-Key."""

    @property
    def of_bytes(self) -> bool:
        """Return whether the action takes or gives bytes, not documents."""
        return self.method != "POST" or self.gives != JSON

    @property
    def takes_bytes(self) -> bool:
        """Return whether the action takes bytes, not documents."""
        return self.takes != JSON

    @property
    def makes(self) -> bool:
        """Return whether the action makes something: it is answered once, by what it made or by its Job."""
        return self.creates is not None or self.once

    @property
    def methods(self) -> tuple[str, ...]:
        """Return all methods that the action's URI takes, reading ones first."""
        taken = {self.method, *self.also}
        reading = ("GET", "HEAD") if "GET" in taken else ()
        return (*reading, *sorted(taken - {"GET"}))


@dataclass(frozen=True, slots=True)
class Capability:
    """A capability with its value; None marks one whose value the configuration gives."""

    name: str
    description: str
    value: Any = True


@dataclass(frozen=True)
class ResourceType:
    """A type of the standard: its declaration, where it stands, and what can be done with it.

    ``segment`` is the last part of its collection's path, and for root collections also the attribute of the Cloud
    Entry Point. ``parent`` is the kind below which a nested collection stands. ``template`` is the attribute of its
    Create document (DSP0263 4.2.3), None where the representation itself is posted.
    """

    kind: str
    schema: type[Schema]
    segment: str
    parent: str | None = None
    template: str | None = None
    actions: tuple[Action, ...] = ()
    collection_actions: tuple[Action, ...] = ()
    """Actions of the root collection itself: import."""
    capabilities: tuple[Capability, ...] = ()
    addable: bool = False
    editable: bool = False
    deletable: bool = False
    late_attributes: frozenset[str] = frozenset()
    """Attributes that XML writes after the operations (Credential's order in the schema)."""
    repeatable: bool = False
    """An add of what is there already is answered 200 with it."""
    mandatory: frozenset[str] = frozenset()
    """Writable attributes that a stored resource always has: a full update that leaves them out keeps their values."""
    key: str | None = None
    """The JSON name of the items, where the rule does not give it."""
    old_key: str | None = None
    """A second JSON name of the items, which clients of 1.0 look for."""
    singleton: bool = False
    series: bool = False
    """Items that are only ever appended (events): kept in a table of their own, not as resources."""

    @cached_property
    def attributes(self) -> dict[str, Attribute]:
        """Return all declared attributes in the order of the standard."""
        return schema_fields(self.schema)

    @cached_property
    def items_key(self) -> str:
        """Return the JSON name of the items in a collection of this type."""
        if self.key:
            return self.key
        name = self.kind[0].lower() + self.kind[1:]
        return name + ("es" if name.endswith("s") else "s")

    @cached_property
    def collections(self) -> dict[str, str]:
        """Return the attributes that are nested collections, with the path segment of each."""
        return {
            name: field.segment or name for name, field in self.attributes.items() if isinstance(field, CollectionRef)
        }

    @property
    def listed_kinds(self) -> list[tuple[str, str]]:
        """Return the path segment of each nested collection, and the kind of its items."""
        fields = ((name, field) for name, field in self.attributes.items() if isinstance(field, CollectionRef))
        return [(field.segment or name, field.kind) for name, field in fields]

    @cached_property
    def references(self) -> frozenset[str]:
        """Return the attributes that can be expanded."""
        return frozenset(
            name
            for name, field in self.attributes.items()
            if isinstance(field, Ref) or field.type is AttributeType.REFERENCE or field.repeated
        )

    @cached_property
    def filter_types(self) -> dict[str, AttributeType]:
        """Return how each attribute compares in $filter."""
        types = {"id": AttributeType.REFERENCE}
        types.update({name: field.type for name, field in self.attributes.items() if not field.write_only})
        return {name: kind for name, kind in types.items() if kind is not AttributeType.UNKNOWN}

    def collection_action(self, verb: str) -> Action | None:
        """Return the action of the collection by this verb, None when there is none."""
        return next((action for action in self.collection_actions if action.verb == verb), None)

    def action(self, verb: str) -> Action | None:
        """Return the action of a resource by this verb, None when there is none."""
        return next((action for action in self.actions if action.verb == verb), None)
