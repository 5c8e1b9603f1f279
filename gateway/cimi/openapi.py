"""The OpenAPI 3.1 description of an entry point, derived from the declarations.

JSON bodies are described attribute by attribute. XML bodies follow the official schema of the standard, which says
more about them than OpenAPI can; they are named with their media type only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import singledispatch
from typing import Any

from marshmallow import Schema

from gateway.cimi.dialects import Dialect
from gateway.cimi.fields import (
    LARGEST,
    URI,
    Attribute,
    Base64,
    Boolean,
    DateTime,
    Enumeration,
    Integer,
    Map,
    String,
)
from gateway.cimi.references import Array, Ref, RefOrValue, Structure, schema_fields
from gateway.cimi.resource_type import ResourceType

Described = dict[str, Any]
COLLECTION_PARAMETERS = ("$filter", "$first", "$last", "$orderby", "$select", "$expand", "$format")
RESOURCE_PARAMETERS = ("$select", "$expand", "$format")
MEANINGS = {
    "$filter": "an expression over the items' attributes, such as state='STARTED' and cpu>1",
    "$first": "number of the first item, from 1",
    "$last": "number of the last item",
    "$orderby": "attributes to sort by, each with :asc or :desc",
    "$select": "attributes to show, or to change",
    "$expand": "references to show with their targets inside; * for all",
    "$format": "json or xml, before the Accept header",
}
HREF: Described = {"type": "object", "properties": {"href": {"type": "string"}}, "required": ["href"]}


def describe(types: Mapping[str, ResourceType], creates: Mapping[str, type[Schema]], dialect: Dialect) -> Described:
    """The whole document. ``creates`` are the Create schemas of the types that have one."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "CIMI, DMTF DSP0263", "version": dialect.version},
        "servers": [{"url": dialect.root.rstrip("/")}],
        "security": [{"basic": []}],
        "paths": dict(_paths(types, creates)),
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "parameters": {name.strip("$"): _parameter(name) for name in MEANINGS},
            "schemas": dict(_schemas(types, creates)),
        },
    }


def _parameter(name: str) -> Described:
    kind: Described = {"type": "integer", "minimum": 1} if name in ("$first", "$last") else {"type": "string"}
    return {"name": name, "in": "query", "description": MEANINGS[name], "schema": kind}


# Schemas


def _schemas(types: Mapping[str, ResourceType], creates: Mapping[str, type[Schema]]) -> Iterator[tuple[str, Described]]:
    for kind, described in types.items():
        yield kind, _shown(described)
        yield f"{kind}Collection", _collection(described)
        if described.editable:
            yield f"{kind}Edit", _structure(_accepted(described.schema, creating=False))
        if described.addable:
            yield f"{kind}Create", _structure(_accepted(creates.get(kind, described.schema), creating=True))
    yield "Action", {"type": "object", "properties": {"action": {"type": "string"}, "force": {"type": "boolean"}}}


def _shown(described: ResourceType) -> Described:
    members = {name: field for name, field in described.attributes.items() if not field.write_only}
    added = {"resourceURI": {"type": "string"}, "id": {"type": "string"}}
    operations = {"type": "array", "items": {"type": "object", "required": ["rel", "href"]}}
    shown = _structure(members)
    shown["properties"] = {**added, **shown["properties"], "operations": operations}
    shown.pop("required", None)
    return shown


def _collection(described: ResourceType) -> Described:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{described.kind}"}}
    properties = {"id": {"type": "string"}, "count": {"type": "integer"}, described.items_key: items}
    return {"type": "object", "properties": properties, "required": ["id"]}


def _accepted(schema: type[Schema], *, creating: bool) -> dict[str, Attribute]:
    """What a consumer may send; read-only attributes are ignored, so they are not described."""
    return {
        name: field
        for name, field in schema_fields(schema).items()
        if field.writable or (creating and field.at_create)
    }


def _structure(members: Mapping[str, Attribute]) -> Described:
    described: Described = {"type": "object", "properties": {name: _member(field) for name, field in members.items()}}
    required = [name for name, field in members.items() if field.mandatory]
    if required:
        described["required"] = required
    return described


def _member(field: Attribute) -> Described:
    return {**json_schema(field), **({"description": field.meaning} if field.meaning else {})}


@singledispatch
def json_schema(field: Attribute) -> Described:
    """JSON Schema of one attribute's value."""
    return {}


@json_schema.register
def _(field: String) -> Described:
    return {"type": "string"}


@json_schema.register
def _(field: Enumeration) -> Described:
    return {"type": "string", "enum": list(field.values)}


@json_schema.register
def _(field: URI) -> Described:
    return {"type": "string", "format": "uri-reference", "maxLength": 4096}


@json_schema.register
def _(field: Base64) -> Described:
    return {"type": "string", "contentEncoding": "base64"}


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
def _(field: Map) -> Described:
    return {"type": "object", "additionalProperties": {"type": "string"}}


@json_schema.register
def _(field: Ref) -> Described:
    return HREF


@json_schema.register
def _(field: Structure) -> Described:
    return _structure(field.members)


@json_schema.register
def _(field: RefOrValue) -> Described:
    by_value = _structure(field.members)
    by_value["properties"] = {"href": {"type": "string"}, **by_value["properties"]}
    return by_value


@json_schema.register
def _(field: Array) -> Described:
    return {"type": "array", "items": json_schema(field.entry)}


# Paths


def _paths(types: Mapping[str, ResourceType], creates: Mapping[str, type[Schema]]) -> Iterator[tuple[str, Described]]:
    for described in types.values():
        if described.singleton:
            yield "/", _resource(described, ())
            continue
        path, names = _place(described, types)
        yield path, _collection_item(described, names)
        yield f"{path}/{{{described.kind}}}", _resource(described, (*names, described.kind))
        for action in described.actions:
            yield f"{path}/{{{described.kind}}}/{action.verb}", _action(described, action.verb, (*names, described.kind))


def _place(described: ResourceType, types: Mapping[str, ResourceType]) -> tuple[str, tuple[str, ...]]:
    """The collection's path template, and the names of the ids in it."""
    if described.parent is None:
        return f"/{described.segment}", ()
    above, names = _place(types[described.parent], types)
    return f"{above}/{{{described.parent}}}/{described.segment}", (*names, described.parent)


def _identifiers(names: tuple[str, ...]) -> list[Described]:
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _query(names: tuple[str, ...]) -> list[Described]:
    return [{"$ref": f"#/components/parameters/{name.strip('$')}"} for name in names]


def _collection_item(described: ResourceType, names: tuple[str, ...]) -> Described:
    kind = described.kind
    item: Described = {
        "parameters": _identifiers(names),
        "get": _operation(f"list{kind}", _query(COLLECTION_PARAMETERS), {"200": f"{kind}Collection"}),
    }
    if described.addable:
        item["post"] = _operation(f"add{kind}", [], {"201": kind, "202": kind}, f"{kind}Create")
    return item


def _resource(described: ResourceType, names: tuple[str, ...]) -> Described:
    kind = described.kind
    item: Described = {
        "parameters": _identifiers(names),
        "get": _operation(f"read{kind}", _query(RESOURCE_PARAMETERS), {"200": kind}),
    }
    if described.editable:
        item["put"] = _operation(f"edit{kind}", _query(("$select",)), {"200": kind, "202": kind}, f"{kind}Edit")
    if described.deletable:
        item["delete"] = _operation(f"delete{kind}", [], {"200": "Job", "202": kind})
    return item


def _action(described: ResourceType, verb: str, names: tuple[str, ...]) -> Described:
    answers = {"200": None, "202": "Job"}
    operation = _operation(f"{verb}{described.kind}", [], answers, "Action")
    return {"parameters": _identifiers(names), "post": operation}


def _operation(
    identity: str, parameters: list[Described], answers: Mapping[str, str | None], body: str | None = None
) -> Described:
    operation: Described = {
        "operationId": identity,
        "parameters": parameters,
        "responses": {
            **{status: _answer(kind) for status, kind in answers.items()},
            "4XX": _answer("Job"),
            "5XX": _answer("Job"),
        },
    }
    if body is not None:
        operation["requestBody"] = {"content": _content(body), "required": body != "Action"}
    return operation


def _answer(kind: str | None) -> Described:
    if kind is None:
        return {"description": "what the action gives"}
    return {"description": kind, "content": _content(kind)}


def _content(kind: str) -> Described:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{kind}"}}, "application/xml": {}}
