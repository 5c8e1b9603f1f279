"""Attributes that refer to other resources, hold them by value, or nest structures (DSP0263 4.2.1, 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Any

from marshmallow import Schema, ValidationError

from gateway.cimi.dialects import bare_term
from gateway.cimi.fields import Attribute, Inward, Outward, text_of
from gateway.cimi.filter import AttributeType
from gateway.cimi.referring import names_a, referred, referred_in_xml, representation_names
from gateway.cimi.xml_members import nested_from_xml, raw_from_xml
from gateway.cimi.xml_text import attribute_text, element_text

SchemaClass = type[Schema]
EXPANDED = "@xml"
"""Key under which an expanded reference carries its target's XML."""
EDGE_MEMBERS = frozenset({"resourceURI", "id", "href", "operations", "operation", "created", "updated", "parent"})
"""What the edge adds to resources, and what clients therefore send back."""


def schema_fields(schema: SchemaClass) -> dict[str, Attribute]:
    """Return the declared attributes of a schema in order, each knowing its own name."""
    declared: dict[str, Attribute] = {}
    for name, field in schema._declared_fields.items():
        assert isinstance(field, Attribute)
        field.name = name
        declared[name] = field
    return declared


class Ref(Attribute):
    """A reference to a resource of this kind: ``{"href": path}``."""

    type = AttributeType.REFERENCE

    def __init__(self, kind: str, **constraints: Any) -> None:
        super().__init__(**constraints)
        self.kind = kind

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        href = referred(value) if isinstance(value, dict) else None
        if not isinstance(href, str) or not href.strip():
            raise ValidationError(f'must be a reference to a {self.kind}: {{"href": "..."}}')
        return {"href": href.strip()}

    def inward(self, value: Any, to_path: Inward) -> Any:
        """Return the reference with its path."""
        return {**value, "href": to_path(value["href"])}

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the reference with its URI."""
        return {**value, "href": to_uri(value["href"])}

    def from_xml(self, node: Any) -> Any:
        """Return the reference that an element holds; None for an empty one."""
        if node is None:
            return None
        href = referred_in_xml(node) if isinstance(node, Mapping) else None
        if href is None:
            raise ValidationError("must have an href")
        return {"href": href}

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append the element, with its target inside where that is expanded."""
        expanded = value.get(EXPANDED)
        if expanded is None:
            out.append(f'<{self.opening} href="{attribute_text(value["href"])}"/>')
        else:
            _write_expanded(self, value["href"], expanded, out)


class BareRef(Ref):
    """A reference that some clients send as a bare URI."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize({"href": value} if isinstance(value, str) else value, attr, data)

    def from_xml(self, node: Any) -> Any:
        """Return the reference that an element holds, in its text, too."""
        return {"href": node} if isinstance(node, str) else super().from_xml(node)


def _write_expanded(member: Attribute, href: str, expanded: str, out: list[str]) -> None:
    out.append(f'<{member.opening} href="{attribute_text(href)}">{expanded}</{member.element}>')


class TypeRef(Ref):
    """A reference to a type of the standard: kept by its name, shown as its URI; a bare string is one too."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return super()._deserialize({"href": value} if isinstance(value, str) else value, attr, data)

    def inward(self, value: Any, _to_path: Inward) -> Any:
        """Return the reference with the type's name."""
        return {"href": bare_term(value["href"])}

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the reference with the type's URI."""
        return {"href": value["href"] if "://" in value["href"] else to_uri(f"~{value['href']}")}

    def from_xml(self, node: Any) -> Any:
        """Return the reference that an element holds, in its text, too."""
        return {"href": node} if isinstance(node, str) else super().from_xml(node)


class CollectionRef(Ref):
    """A nested collection: never stored, since its URI follows from the owner's path and ``segment``."""

    def __init__(self, kind: str, *, segment: str | None = None, **constraints: Any) -> None:
        super().__init__(kind, writable=False, **constraints)
        self.segment = segment


class Structure(Attribute):
    """A nested structure with attributes of its own."""

    def __init__(self, schema: SchemaClass | Callable[[], SchemaClass], **constraints: Any) -> None:
        """Take the schema of the structure, or what returns it where the structure stands inside itself."""
        super().__init__(**constraints)
        self._schema = schema

    @property
    def inside_itself(self) -> bool:
        """Return whether the structure stands inside itself."""
        return not isinstance(self._schema, type)

    @cached_property
    def schema(self) -> SchemaClass:
        """Return the schema of the structure."""
        return self._schema if isinstance(self._schema, type) else self._schema()

    @cached_property
    def members(self) -> dict[str, Attribute]:
        """Return the attributes of the structure."""
        return schema_fields(self.schema)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("must be a structure")
        return _without_none(load(self.schema, self.members, value))

    def inward(self, value: Any, to_path: Inward) -> Any:
        """Return the structure with the paths of its references."""
        return inward(self.members, value, to_path)

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the structure with the URIs of its references."""
        return outward(self.members, value, to_uri)

    def from_xml(self, node: Any) -> Any:
        """Return the raw structure that an element holds."""
        return nested_from_xml(self.members, node) if node is not None else None

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append the element of the structure."""
        write_element(self, self.members, value, out)


class RefOrValue(Structure):
    """A resource by reference, by value, or by reference with overrides (DSP0263 4.2.3.1)."""

    type = AttributeType.REFERENCE

    def __init__(self, kind: str, schema: SchemaClass | Callable[[], SchemaClass], **constraints: Any) -> None:
        super().__init__(schema, **constraints)
        self.kind = kind

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(f"must be a reference to a {self.kind}, or one by value")
        href = self._referred(value)
        if href is not None and not (isinstance(href, str) and href.strip()):
            raise ValidationError("href must be the URI of a resource")
        unread = representation_names(self.kind) - self.members.keys() if href is not None else frozenset()
        given = {k: v for k, v in value.items() if self._is_input(k) and k not in unread}
        rest = load(self.schema, self.members, given)
        if href is not None:
            return {"href": href.strip(), **rest}
        said = {name: entry for name, entry in rest.items() if entry is not None}
        if said:
            # Beside what is said, an empty secret erases the one that is kept, which nobody could read and send back.
            said.update({name: None for name in rest.keys() - said.keys() if self.members[name].write_only})
        # XML cannot tell an empty structure from none, so JSON must not; in a list even an empty entry says something.
        return said if said or self.mandatory or self.listed else None

    @property
    def empty(self) -> Any:
        """Return a value without members, where one has to be given: ``<addressTemplate/>``."""
        return {} if self.mandatory else None

    def _referred(self, value: dict[str, Any]) -> Any:
        """Return the ``href``; where that is absent, an ``id`` that is the URI of a resource of this kind.

        A resource that is given by value may carry another ``id``, which means nothing.
        """
        named = referred(value)
        if value.get("href") is not None or (isinstance(named, str) and names_a(self.kind, named)):
            return named
        return None

    def _is_input(self, name: str) -> bool:
        """Return whether a client may say it of the resource; what it only read and sends back is ignored."""
        member = self.members.get(name)
        return name != "href" and (member is None or member.writable or member.at_create)

    def inward(self, value: Any, to_path: Inward) -> Any:
        """Return the value with the paths of its references, its own, too."""
        rest = super().inward({k: v for k, v in value.items() if k != "href"}, to_path)
        return {"href": to_path(value["href"]), **rest} if "href" in value else rest

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the value with the URIs of its references, its own, too."""
        rest = super().outward({k: v for k, v in value.items() if k != "href"}, to_uri)
        return {"href": to_uri(value["href"]), **rest} if "href" in value else rest

    def from_xml(self, node: Any) -> Any:
        """Return the raw value that an element holds, with the href of a reference."""
        if node is None:
            return self.empty
        if isinstance(node, Mapping) and "@href" in node:
            rest = {key: value for key, value in node.items() if key != "@href"}
            return {"href": node["@href"], **nested_from_xml(self.members, rest)}
        return nested_from_xml(self.members, node)

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append the element, with its target inside where that is expanded."""
        href = value.get("href")
        if EXPANDED in value:
            _write_expanded(self, href, value[EXPANDED], out)
            return
        extra = f' href="{attribute_text(href)}"' if href is not None else ""
        write_element(self, self.members, value, out, extra)


class Array(Attribute):
    """A list of entries of one type; XML 1.x repeats the item's element without a wrapper."""

    repeated = True

    def __init__(self, entry: Attribute, *, item: str, **constraints: Any) -> None:
        super().__init__(item=item, **constraints)
        self.entry = entry
        entry.name = item
        entry.listed = True
        entry.extension = self.extension

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        entries = value if isinstance(value, list) else [value]
        return [self._entry(place, entry) for place, entry in enumerate(entries)]

    def _entry(self, place: int, value: Any) -> Any:
        try:
            # XML cannot tell empty text from nothing, so that JSON must not either.
            entry = self.entry.deserialize(value) if value != "" else None
        except ValidationError as error:
            raise ValidationError({str(place): error.messages}) from None
        if entry is None:
            raise ValidationError({str(place): ["is empty"]})
        return entry

    def inward(self, value: Any, to_path: Inward) -> Any:
        """Return the entries with the paths of their references."""
        return [self.entry.inward(entry, to_path) for entry in value]

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the entries with the URIs of their references."""
        return [self.entry.outward(entry, to_uri) for entry in value]

    def from_xml(self, node: Any) -> Any:
        """Return the raw entries of one element or of several."""
        if node is None:
            return None
        return [self._entry_from_xml(entry) for entry in (node if isinstance(node, list) else [node])]

    def _entry_from_xml(self, node: Any) -> Any:
        """Return the raw entry of an element; an empty one among several is a structure that says nothing."""
        return {} if node is None and isinstance(self.entry, Structure) else self.entry.from_xml(node)

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append an element for each entry."""
        for entry in value:
            self.entry.to_xml(entry, out)


def _without_none(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value is not None}


def ignored(schema: SchemaClass) -> frozenset[str]:
    """Return names that are no attributes and yet no mistake: what the edge adds, and what the schema tolerates."""
    return EDGE_MEMBERS | getattr(schema, "tolerated", frozenset())


def load(schema: SchemaClass, members: dict[str, Attribute], raw: dict[str, Any]) -> dict[str, Any]:
    """Return a raw structure as its marshmallow schema reads it.

    An empty string says what an empty XML element says: XML cannot tell the two apart, and so JSON does not either.
    Raises ValidationError for unknown members and wrong types.
    """
    renamed = {_canonical(members, name): value for name, value in raw.items()}
    unknown = [name for name in renamed if name not in members and name not in ignored(schema)]
    if unknown:
        raise ValidationError({unknown[0]: ["is not an attribute here"]})
    values = {name: members[name].empty if value == "" else value for name, value in renamed.items() if name in members}
    loaded: dict[str, Any] = _loading(schema).load(values, partial=True)
    return loaded


@cache
def _loading(schema: SchemaClass) -> Schema:
    """Return a schema's object, the same for all requests: marshmallow copies each field for each new one."""
    return schema()


def _canonical(members: dict[str, Attribute], name: str) -> str:
    if name in members:
        return name
    return next((declared for declared, member in members.items() if name in member.aliases), name)


def inward(members: dict[str, Attribute], document: dict[str, Any], to_path: Inward) -> dict[str, Any]:
    """Return a document with paths for URIs. Raises ValidationError, naming the attribute, for one that is not ours."""
    converted: dict[str, Any] = {}
    for name, value in document.items():
        try:
            converted[name] = members[name].inward(value, to_path) if value is not None else None
        except (ValueError, ValidationError) as error:
            detail = error.messages if isinstance(error, ValidationError) else [str(error)]
            raise ValidationError({name: detail}) from None
    return converted


def outward(members: dict[str, Attribute], document: dict[str, Any], to_uri: Outward) -> dict[str, Any]:
    """Return a document with URIs for paths, without write-only members and those that a stored reference erases."""
    return {
        name: members[name].outward(value, to_uri)
        for name, value in document.items()
        if value is not None and name in members and not members[name].write_only
    }


def write_element(
    owner: Attribute, members: dict[str, Attribute], value: dict[str, Any], out: list[str], attributes: str = ""
) -> None:
    """Append an element with its members as XML attributes, text and children, in declared order."""
    children: list[str] = []
    for key, member in members.items():
        entry = value.get(key)
        if entry is None:
            continue
        if member.xml_attribute:
            attributes += f' {key}="{attribute_text(member.to_text(entry))}"'
        elif member.xml_text:
            children.append(member_text(member, entry))
        else:
            member.to_xml(entry, children)
    start = f"<{owner.opening}{attributes}"
    out.append(f"{start}>{''.join(children)}</{owner.element}>" if children else f"{start}/>")


def member_text(member: Attribute, value: Any) -> str:
    """Return the value of a member as XML text."""
    return element_text(member.to_text(value))


__all__ = [
    "Array",
    "CollectionRef",
    "Ref",
    "RefOrValue",
    "Structure",
    "TypeRef",
    "inward",
    "load",
    "outward",
    "raw_from_xml",
    "schema_fields",
    "text_of",
    "write_element",
]
