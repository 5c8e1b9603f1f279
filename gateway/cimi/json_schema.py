"""JSON Schema of what is declared, with OpenAPI's hints for XML (OpenAPI 3.1, Schema Object).

What OpenAPI cannot say of XML is said in words: ``properties`` is one ``<property key="...">`` an entry, bytes are
hexBinary, and a structure may have text of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import singledispatch
from typing import Any

from gateway.cimi.coded import Base64, Key, Sha256
from gateway.cimi.dialects import EXTENSION_NAMESPACE, Dialect
from gateway.cimi.fields import (
    LARGEST,
    MOST_PROPERTIES,
    URI,
    Anything,
    Attribute,
    Boolean,
    DateTime,
    Enumeration,
    Integer,
    IntervalDuration,
    Map,
    String,
)
from gateway.cimi.references import Array, Ref, RefOrValue, Structure
from gateway.cimi.resource_type import ResourceType

Described = dict[str, Any]
HREF: Described = {"type": "string", "format": "uri-reference", "xml": {"attribute": True}}
OPERATION: Described = {
    "type": "object",
    "properties": {
        "rel": {"type": "string", "xml": {"attribute": True}},
        "href": {"type": "string", "format": "uri", "xml": {"attribute": True}},
    },
    "required": ["rel", "href"],
    "xml": {"name": "operation"},
}


def representation(described: ResourceType, dialect: Dialect) -> Described:
    """Return what is read of a type. Only the type marker is sure: ``$select`` takes everything else away."""
    members = {name: field for name, field in described.attributes.items() if not field.write_only}
    properties = {
        "resourceURI": _marker(dialect.type_uri(described.kind)),
        "id": {"type": "string"},
        **{name: member(field) for name, field in members.items()},
        "operations": {"type": "array", "items": OPERATION},
    }
    return _root(described.kind, dialect, properties, ["resourceURI"])


def collection(described: ResourceType, dialect: Dialect) -> Described:
    """Return what is read of a collection of a type."""
    item = {"$ref": f"#/components/schemas/{described.kind}"}
    properties = {
        "resourceURI": _marker(dialect.type_uri(f"{described.kind}Collection")),
        "id": {"type": "string"},
        "count": {"type": "integer", "minimum": 0, "description": "before $first and $last"},
        described.items_key: {"type": "array", "items": item},
        **({described.old_key: {"type": "array", "items": item}} if described.old_key else {}),
        "operations": {"type": "array", "items": OPERATION},
    }
    return _root("Collection", dialect, properties, ["resourceURI"])


def accepted(
    root: str, dialect: Dialect, members: Mapping[str, Attribute], read: Mapping[str, Attribute], *, creating: bool
) -> Described:
    """Return what may be sent of a type: ``members``. Members that clients only ``read`` and send back are marked."""
    inputs = {name: field for name, field in members.items() if field.writable or (creating and field.at_create)}
    unread = [name for name, field in {**read, **members}.items() if name not in inputs and not field.writable]
    ignored = {name: {"readOnly": True} for name in ("id", "operations", *unread)}
    given = {name: _closed(member(field)) for name, field in inputs.items()}
    required = [name for name, field in inputs.items() if creating and field.mandatory]
    described = _root(root, dialect, {"resourceURI": {"type": "string"}, **given, **ignored}, required)
    return {**described, "additionalProperties": False}


def _closed(schema: Described) -> Described:
    """Return a schema without room for unknown attributes, which are refused by name."""
    closed = dict(schema)
    if "properties" in closed:
        closed["properties"] = {name: _closed(inner) for name, inner in closed["properties"].items()}
        closed["additionalProperties"] = False
    if "items" in closed:
        closed["items"] = _closed(closed["items"])
    return closed


def _marker(uri: str) -> Described:
    return {"type": "string", "const": uri, "description": "in XML the root element says it"}


def _root(name: str, dialect: Dialect, properties: Described, required: list[str]) -> Described:
    described = _object(properties, required)
    return {**described, "xml": {"name": name, "namespace": dialect.namespace_of(name)}}


def _object(properties: Described, required: Iterable[str] = ()) -> Described:
    described: Described = {"type": "object", "properties": properties}
    needed = list(required)
    return {**described, "required": needed} if needed else described


def member(field: Attribute) -> Described:
    """Return an attribute as a property: its value, its meaning, and how XML spells it."""
    described = dict(json_schema(field))
    hints = _hints(field)
    if hints:
        described["xml"] = hints
    if field.meaning:
        described["description"] = field.meaning
    if field.write_only:
        described["writeOnly"] = True
    return described


def _hints(field: Attribute) -> Described:
    hints: Described = {"attribute": True} if field.xml_attribute else {}
    if field.element != field.name and not isinstance(field, Array):
        hints["name"] = field.element
    if field.extension:
        hints["namespace"] = EXTENSION_NAMESPACE
    return hints


@singledispatch
def json_schema(field: Attribute) -> Described:
    """Return the JSON Schema of an attribute's value. Raises TypeError for a field that nobody described."""
    raise TypeError(f"{type(field).__name__} has no JSON Schema")


@json_schema.register
def _(field: String) -> Described:
    return {"type": "string", "maxLength": field.most_characters}


@json_schema.register
def _(field: Enumeration) -> Described:
    return {"type": "string", "enum": list(field.values)}


@json_schema.register
def _(field: IntervalDuration) -> Described:
    words = [others[0] for others in field.SPELLINGS.values()]
    return {"type": "string", "enum": [*field.SPELLINGS, *words]}


@json_schema.register
def _(field: URI) -> Described:
    return {"type": "string", "format": "uri-reference", "maxLength": 4096}


@json_schema.register
def _(field: Base64) -> Described:
    return {"type": "string", "contentEncoding": "base64"}


@json_schema.register
def _(field: Sha256) -> Described:
    return {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}


@json_schema.register
def _(field: Key) -> Described:
    return {"type": "string", "maxLength": field.most_characters}


@json_schema.register
def _(field: Integer) -> Described:
    return {"type": "integer", "minimum": field.minimum, "maximum": LARGEST}


@json_schema.register
def _(field: Boolean) -> Described:
    return {"type": "boolean"}


@json_schema.register
def _(field: DateTime) -> Described:
    return {"type": "string", "format": "date-time"}


@json_schema.register
def _(field: Anything) -> Described:
    return {"type": ["string", "integer", "boolean"]}


@json_schema.register
def _(field: Map) -> Described:
    return {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": MOST_PROPERTIES}


@json_schema.register
def _(field: Ref) -> Described:
    return _object({"href": HREF}, ["href"])


@json_schema.register
def _(field: Structure) -> Described:
    return _object({name: member(inner) for name, inner in field.members.items()})


@json_schema.register
def _(field: RefOrValue) -> Described:
    if field.inside_itself:
        whole = {"$ref": f"#/components/schemas/{field.kind}Create"}
        return {"anyOf": [_object({"href": HREF}, ["href"]), whole]}
    inputs = {name: inner for name, inner in field.members.items() if inner.writable or inner.at_create}
    return _object({"href": HREF, **{name: member(inner) for name, inner in inputs.items()}})


@json_schema.register
def _(field: Array) -> Described:
    return {"type": "array", "items": {**json_schema(field.entry), "xml": {"name": field.element}}}
