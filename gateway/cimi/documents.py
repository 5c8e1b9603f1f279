"""The documents that the wire reads and writes: Create, edit and Action documents in, resources and collections out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError

from gateway.cimi import json_codec, xml_codec
from gateway.cimi.dialects import verb_of
from gateway.cimi.edge import Edge
from gateway.cimi.fields import Attribute, Boolean, String
from gateway.cimi.references import BareRef, ignored, inward, load, schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, type_of
from gateway.cimi.resource_type import Common, ResourceType
from gateway.errors import Invalid

Document = dict[str, Any]


class ActionSchema(Common):
    """An Action document with the parameters of every action."""

    action = String()
    force = Boolean()
    image = BareRef("MachineImage")
    source = String()
    format = String()
    destination = String()


@dataclass(frozen=True, slots=True)
class ActionDocument:
    """A checked Action document."""

    verb: str | None
    """The action's verb; None when the body says nothing."""
    parameters: Document


def read_create(kind: str, body: bytes, media: str, edge: Edge, *, by_action: bool = False) -> Document:
    """Return the checked Create document of a type: for a templated one with its template attribute inside.

    ``by_action``: it came to the URI of an action that creates, where an Action document, or nothing, will do too.
    """
    described = type_of(kind)
    schema = CREATE_SCHEMAS.get(kind, described.schema)
    if by_action and not body.strip():
        return {}
    members = schema_fields(schema)
    roots = {kind, f"{kind}Create"} | ({"Action"} if by_action else set())
    raw = _raw(body, media, members, roots)
    readable = {name: members.get(name, field) for name, field in described.attributes.items()}
    unread = {name for name, field in readable.items() if not field.writable and not field.at_create}
    unread |= {"action"} if by_action else set()
    raw = {name: value for name, value in raw.items() if name not in unread}
    document = _checked(schema, raw, edge, creating=True)
    return _without_none(document)


def read_edit(kind: str, body: bytes, media: str, edge: Edge, selected: frozenset[str] | None) -> Document:
    """Return the writable attributes in an update; with ``selected`` no others may stand in it (DSP0263 4.1.5.2)."""
    described = type_of(kind)
    raw = _raw(body, media, described.attributes, {kind})
    if selected is not None:
        outside = [name for name in raw if name not in selected and name not in ignored(described.schema)]
        if outside:
            raise Invalid("stands in the body but not in $select", outside[0])
    document = _checked(described.schema, raw, edge, creating=False)
    return {name: value for name, value in document.items() if value is not None or _is_secret(described, name)}


def _is_secret(described: ResourceType, name: str) -> bool:
    """Return whether clients cannot read an attribute: a null that was sent for it says more than its absence."""
    return name in described.attributes and described.attributes[name].write_only


def read_action(body: bytes, media: str, edge: Edge) -> ActionDocument:
    """Return what an Action document says; an empty body asks for nothing in particular."""
    if not body.strip():
        return ActionDocument(None, {})
    members = schema_fields(ActionSchema)
    raw = _raw(body, media, members, {"Action"})
    document = _without_none(_checked(ActionSchema, raw, edge, creating=True))
    action = document.pop("action", None)
    parameters = {name: value for name, value in document.items() if name not in ("name", "description")}
    return ActionDocument(verb_of(action) if action else None, parameters)


def _raw(body: bytes, media: str, members: dict[str, Attribute], roots: set[str]) -> Document:
    """Return the body as a raw JSON-shaped document. Raises Invalid for a type marker that does not fit."""
    if media == "json":
        raw = json_codec.decode(body)
        marker = raw.get("resourceURI")
        if marker is not None and not isinstance(marker, str):
            raise Invalid("must be a string", "resourceURI")
        name = marker.rstrip("/").rpartition("/")[2] if marker else None
        where = "resourceURI"
    else:
        name, content = xml_codec.decode(body)
        where = "root element"
    if name is not None and name.casefold() not in {root.casefold() for root in roots}:
        raise Invalid(f"says {name[:60]!r} where {' or '.join(sorted(roots))} belongs", where)
    if media == "json":
        return raw
    try:
        return xml_codec.raw(members, content)
    except ValidationError as error:
        raise invalid(error) from None


def _checked(schema: type[Schema], raw: Document, edge: Edge, *, creating: bool) -> Document:
    """Return what a raw document says, by the attributes' types, with paths for URIs.

    Read-only attributes are dropped unseen. Raises Invalid for unknown and for missing ones, and for wrong types.
    """
    members = schema_fields(schema)
    usable: Document = {}
    for name, value in raw.items():
        field = members.get(name)
        if field is not None and not field.writable and not (creating and field.at_create):
            continue
        usable[name] = value
    try:
        document = inward(members, load(schema, members, usable), edge.to_path)
    except ValidationError as error:
        raise invalid(error) from None
    missing = [name for name, field in members.items() if creating and field.mandatory and document.get(name) is None]
    if missing:
        raise Invalid("is missing", missing[0])
    return document


def invalid(error: ValidationError) -> Invalid:
    """Return the first thing wrong, with the way to it: ``machineTemplate.machineConfig.cpu``."""
    messages: Any = error.messages
    path: list[str] = []
    while isinstance(messages, dict) and messages:
        name, messages = next(iter(messages.items()))
        if name != "_schema":
            path.append(str(name))
    while isinstance(messages, list) and messages:
        messages = messages[0]
        if isinstance(messages, dict):
            return invalid(ValidationError({".".join(path) or "_schema": messages}))
    return Invalid(str(messages)[:300], ".".join(path) or None)


def _without_none(document: Document) -> Document:
    """Return a document without its empty attributes, which mean "none".

    Inside a template with an href they mean "erase", and stay.
    """
    return {name: value for name, value in document.items() if value is not None}


def write_resource(described: ResourceType, wire: Document, media: str, edge: Edge) -> bytes:
    """Return a resource as the bytes of a document."""
    if media == "json":
        return json_codec.encode(wire)
    return xml_codec.encode_resource(described, wire, edge.dialect)


def write_collection(described: ResourceType, wire: Document, media: str, edge: Edge) -> bytes:
    """Return a collection as the bytes of a document."""
    if media == "json":
        return json_codec.encode(wire)
    return xml_codec.encode_collection(described, wire, edge.dialect)


def item(described: ResourceType, document: bytes, media: str, edge: Edge) -> json_codec.Ready | xml_codec.Ready:
    """Return the document of a resource as it stands in its collection's."""
    if media == "json":
        return json_codec.Ready(document)
    return xml_codec.ready_item(described, document, edge.dialect)


def inside(described: ResourceType, document: bytes, edge: Edge, *, listed: bool) -> str:
    """Return the elements in an XML document of a resource, or, when ``listed``, of a collection of the type."""
    content = xml_codec.inside_collection if listed else xml_codec.inside_resource
    return content(described, document, edge.dialect)
