"""The OpenAPI 3.1 description of an entry point, derived from the declarations: paths, operations, answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway import errors
from gateway.cimi import json_schema
from gateway.cimi.dialects import Dialect
from gateway.cimi.documents import ActionSchema
from gateway.cimi.json_schema import Described
from gateway.cimi.references import schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES, VIEWS
from gateway.cimi.resource_type import JSON, Action, ResourceType
from gateway.cimi.shared_schemas import with_shared

Roles = Callable[[str, str], tuple[str, ...]]
"""Returns, for a kind and an operation, the roles to which it is granted."""

XML = "application/xml"
TEXT: Described = {"type": "string"}
POSITION: Described = {"type": "integer", "minimum": 1}
QUERIES: Mapping[str, tuple[str, Described]] = {
    "$filter": ("an expression over the items' attributes: cpu>1 and name='a'; repeated ones must all hold", TEXT),
    "$first": ("position of the first item, from 1", POSITION),
    "$last": ("position of the last item; 0 for an empty page", {"type": "integer", "minimum": 0}),
    "$orderby": ("attributes to sort by, each with :asc or :desc", TEXT),
    "$select": ("attributes to show, or to change", TEXT),
    "$expand": ("references to show with their targets inside; * for all", TEXT),
    "$format": ("the format of the answer, before the Accept header", {"$ref": "#/components/schemas/Format"}),
    "limit": ("bytes to give at most, from the end", POSITION),
}
HEADERS: Mapping[str, tuple[str, Described]] = {
    "If-Match": ("ETags, one of which must be the resource's", TEXT),
    "If-None-Match": ("ETags, none of which may be the resource's", TEXT),
    "Prefer": ("wait=SECONDS for the Job to end, or respond-async", TEXT),
    "Idempotency-Key": ("makes a retried create give the first answer again", {"type": "string", "maxLength": 128}),
    "CIMI-Specification-Version": ("versions of the standard that the client takes, by preference", TEXT),
    "Content-Range": ("bytes first-last/total, for a part", TEXT),
    "Content-Digest": ("sha-256 of this request's bytes (RFC 9530)", TEXT),
    "Range": ("bytes=first-last, for a part", TEXT),
    "If-Range": ("ETag of what the part must belong to", TEXT),
}
BINARY: Described = {"type": "string", "contentEncoding": "binary"}
PROPERTIES: Described = {
    "name": "properties",
    "in": "query",
    "description": "the action's properties, each a parameter, where bytes are sent instead of a document",
    "style": "form",
    "explode": True,
    "schema": {"type": "object", "additionalProperties": TEXT},
}
RESOURCE_QUERIES = ("$select", "$expand", "$format")
COLLECTION_QUERIES = ("$filter", "$first", "$last", "$orderby", *RESOURCE_QUERIES)
CONDITIONS = ("If-Match", "If-None-Match")
ALWAYS = ("CIMI-Specification-Version",)
ANSWER_HEADERS: Mapping[str, str] = {
    "Location": "the new resource, or what the action makes",
    "CIMI-Job-URI": "the Job of this change",
    "ETag": "of this representation",
    "Upload-Offset": "bytes that are here",
}
CONVENTIONS = """HEAD is taken wherever GET is, but for live streams. Attributes that are read only are ignored when a \
client sends them back; unknown ones are refused. Within what their roles may do, users see and change what is \
theirs, and see what is shared; an admin sees and changes everything. In XML, properties are one property element \
with a key each, and bytes are hexadecimal."""

READING: tuple[type[errors.GatewayError], ...] = (
    errors.Invalid,
    errors.Unauthenticated,
    errors.Forbidden,
    errors.NotFound,
    errors.NotAcceptable,
    errors.UriTooLong,
    errors.UnsupportedMediaType,
    errors.Misdirected,
    errors.HeadersTooLarge,
    errors.TooManyRequests,
    errors.GatewayError,
    errors.Unavailable,
)
CHANGING = (
    *READING,
    errors.MethodNotAllowed,
    errors.Conflict,
    errors.PreconditionFailed,
    errors.TooLarge,
    errors.NotImplementedHere,
    errors.BadGateway,
    errors.NoSpace,
)
SENDING = (*CHANGING, errors.RequestTimeout)
BYTES = (*SENDING, errors.RangeNotSatisfiable)


def describe(dialect: Dialect, roles: Roles) -> Described:
    """Return the whole document but for ``servers``, which are known to the wire only."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "CIMI, DMTF DSP0263", "version": dialect.version, "description": CONVENTIONS},
        "security": [{"basic": []}],
        "tags": [{"name": kind} for kind in TYPES],
        "paths": dict(_paths(dialect, roles)),
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "parameters": {_key(name): _parameter(name) for name in (*QUERIES, *HEADERS)},
            "headers": {name: {"description": text, "schema": TEXT} for name, text in ANSWER_HEADERS.items()},
            "responses": {error.__name__: _refusal(error) for error in BYTES},
            "schemas": {**with_shared(dict(_schemas(dialect))), "Format": {"type": "string", "enum": ["json", "xml"]}},
        },
    }


def _schemas(dialect: Dialect) -> Iterator[tuple[str, Described]]:
    for kind, described in TYPES.items():
        attributes = described.attributes
        yield kind, json_schema.representation(described, dialect)
        if not described.singleton:
            yield f"{kind}Collection", json_schema.collection(described, dialect)
        if described.editable:
            yield f"{kind}Edit", json_schema.accepted(kind, dialect, attributes, attributes, creating=False)
        if described.addable:
            members = schema_fields(CREATE_SCHEMAS.get(kind, described.schema))
            root = f"{kind}Create" if described.template else kind
            yield f"{kind}Create", json_schema.accepted(root, dialect, members, attributes, creating=True)
    yield "Action", json_schema.accepted("Action", dialect, schema_fields(ActionSchema), {}, creating=True)


# Paths


def _paths(dialect: Dialect, roles: Roles) -> Iterator[tuple[str, Described]]:
    for described in TYPES.values():
        if described.singleton:
            root, name = dialect.root, described.segment
            for path, suffix in ((root, ""), (root.rstrip("/"), "WithoutSlash"), (root + name, "ByName")):
                yield path, _resource(path, described, roles, suffix)
            continue
        yield from _below(dialect.root + _place(described), described, roles)
    for (owner, segment), described in VIEWS.items():
        path = f"{dialect.root}{_place(TYPES[owner])}/{{{owner}}}/{segment}"
        yield path, _collection(path, described, roles, f"Of{owner}")


def _below(path: str, described: ResourceType, roles: Roles) -> Iterator[tuple[str, Described]]:
    """Yield a collection, its own actions, its items, and theirs."""
    yield path, _collection(path, described, roles)
    for action in described.collection_actions:
        yield f"{path}/{action.verb}", _action(f"{path}/{action.verb}", described, action, roles, ())
    item = f"{path}/{{{described.kind}}}"
    yield item, _resource(item, described, roles)
    for action in described.actions:
        yield f"{item}/{action.verb}", _action(f"{item}/{action.verb}", described, action, roles)


def _place(described: ResourceType) -> str:
    """Return the collection's path below the entry point, with the kinds of the resources above it in braces."""
    if described.parent is None:
        return described.segment
    return f"{_place(TYPES[described.parent])}/{{{described.parent}}}/{described.segment}"


def _item(path: str, **operations: Described) -> Described:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]
    return {**({"parameters": parameters} if parameters else {}), **operations}


def _collection(path: str, described: ResourceType, roles: Roles, suffix: str = "") -> Described:
    kind = described.kind
    said = _Said(kind, roles, suffix)
    answers = {200: _answer(f"{kind}Collection", "ETag"), 304: _unchanged()}
    operations = {
        "get": said.operation("read", "list", (*COLLECTION_QUERIES, "If-None-Match"), _Answers(answers, READING))
    }
    if described.addable:
        made = _made(kind, existing=described.repeatable)
        parameters = ("$format", "Prefer", "Idempotency-Key")
        operations["post"] = said.operation(
            "add", "add", parameters, _Answers(made, CHANGING), _Body(_documents(f"{kind}Create"))
        )
    return _item(path, **operations)


def _resource(path: str, described: ResourceType, roles: Roles, suffix: str = "") -> Described:
    kind = described.kind
    said = _Said(kind, roles, suffix)
    answers = {200: _answer(kind, "ETag"), 304: _unchanged()}
    reading = (*RESOURCE_QUERIES, "If-None-Match", *(("Prefer",) if kind == "Job" else ()))
    operations = {"get": said.operation("read", "read", reading, _Answers(answers, READING))}
    changing = ("$format", "Prefer", *CONDITIONS)
    if described.editable:
        parameters = ("$select", *changing)
        changed = {status: _answer((kind, "Job"), "CIMI-Job-URI", "ETag") for status in (200, 202)}
        operations["put"] = said.operation(
            "edit", "edit", parameters, _Answers(changed, CHANGING), _Body(_documents(f"{kind}Edit"))
        )
    if described.deletable:
        gone = {status: _answer((kind, "Job"), "CIMI-Job-URI") for status in (200, 202)}
        operations["delete"] = said.operation("delete", "delete", changing, _Answers(gone, CHANGING))
    verbs = [action.verb for action in described.actions if not action.of_bytes]
    if verbs:
        operations["post"] = _any_action(said, verbs)
    return _item(path, **operations)


def _any_action(said: _Said, verbs: list[str]) -> Described:
    """Return the operation by which old clients post Action documents to the resource itself."""
    body = _documents("Action")
    answers = {status: _answer("Job", "CIMI-Job-URI") for status in (200, 202)} | {201: _answer(None)}
    parameters = ("$format", "Prefer", *CONDITIONS)
    operation = said.operation(verbs[0], "actOn", parameters, _Answers(answers, CHANGING), _Body(body))
    return {**operation, "description": f"The action that the document names: {', '.join(verbs)}."}


# Actions


def _action(
    path: str, described: ResourceType, action: Action, roles: Roles, conditions: tuple[str, ...] = CONDITIONS
) -> Described:
    """Return the operations at an action's URI.

    ``conditions`` are headers that say of which version the resource has to be; a collection has none.
    """
    said = _Said(described.kind, roles)
    operations = {}
    for method in action.methods:
        if method == "HEAD":
            continue
        name = action.verb if method == action.method else f"{method.lower()}{action.verb.title()}"
        operation = _bytes(said, action, method, name) if action.of_bytes else _act(said, action, name, conditions)
        operations[method.lower()] = {**operation, "summary": action.description}
    return _item(path, **operations)


def _act(said: _Said, action: Action, name: str, conditions: tuple[str, ...]) -> Described:
    parameters = ("$format", "Prefer", *conditions, *(("Idempotency-Key",) if action.once else ()))
    if action.creates:
        body = _documents(f"{action.creates}Create", "Action")
        parameters = (*parameters, "Idempotency-Key")
        return said.operation(
            action.verb, name, parameters, _Answers(_made(action.creates), CHANGING), _Body(body, required=False)
        )
    said_with = ("CIMI-Job-URI", *(("Location",) if action.located else ()))
    answers = {status: _answer("Job", *said_with) for status in (200, 202)}
    if not action.sent:
        return said.operation(
            action.verb, name, parameters, _Answers(answers, CHANGING), _Body(_documents("Action"), required=False)
        )
    body = {**_documents("Action"), **{media: {"schema": BINARY} for media in action.sent}}
    operation = said.operation(action.verb, name, parameters, _Answers(answers, SENDING), _Body(body))
    return {**operation, "parameters": [*operation["parameters"], PROPERTIES]}


def _bytes(said: _Said, action: Action, method: str, name: str) -> Described:
    """Return the operation of an action that takes or gives bytes, by the media types that are declared."""
    parameters = action.parameters
    if method == "PUT":
        body = {action.takes: {"schema": BINARY}}
        answers = {status: _answer((said.kind, "Job"), "CIMI-Job-URI", "Upload-Offset") for status in (200, 202)}
        return said.operation(
            action.verb, name, ("$format", "Prefer", *parameters), _Answers(answers, BYTES), _Body(body)
        )
    if action.gives == JSON:
        return said.operation(
            action.verb, name, ("$format",), _Answers({200: _answer(said.kind, "Upload-Offset")}, BYTES)
        )
    given = {"description": action.description, "content": {action.gives: {"schema": TEXT}}}
    answers = {200: given, **({206: given} if "Range" in parameters else {})}
    sent = _Body(_documents("Action"), required=False) if method == "POST" else None
    return said.operation(action.verb, name, parameters, _Answers(answers, BYTES), sent)


# Operations


@dataclass(frozen=True, slots=True)
class _Answers:
    """The answers to an operation: the good ones by their status, and the errors that it may be refused by."""

    good: Mapping[int, Described]
    refusals: tuple[type[errors.GatewayError], ...]


@dataclass(frozen=True, slots=True)
class _Body:
    """The documents or bytes that a request carries, by their media types."""

    content: Described
    required: bool = True


class _Said:
    """The common part of all operations on a type."""

    def __init__(self, kind: str, roles: Roles, suffix: str = "") -> None:
        self.kind = kind
        self._roles = roles
        self._suffix = suffix

    def operation(
        self,
        verb: str,
        name: str,
        parameters: tuple[str, ...],
        answers: _Answers,
        body: _Body | None = None,
    ) -> Described:
        """Return an operation. ``verb`` is what must be granted; the roles that have it stand in ``x-roles``."""
        roles = self._roles(self.kind, verb)
        responses = {str(status): answer for status, answer in sorted(answers.good.items())}
        responses.update((str(errors.status_of(error.return_code)), _refused(error)) for error in answers.refusals)
        operation: Described = {
            "operationId": f"{name}{self.kind}{self._suffix}",
            "tags": [self.kind],
            "description": f"Granted to: {', '.join(roles) or 'nobody'}.",
            "x-roles": list(roles),
            "parameters": [_parameter_reference(name) for name in (*parameters, *ALWAYS)],
            "responses": responses,
        }
        if body is not None:
            operation["requestBody"] = {"content": body.content, "required": body.required}
        return operation


def _key(name: str) -> str:
    return name.strip("$")


def _parameter_reference(name: str) -> Described:
    return {"$ref": f"#/components/parameters/{_key(name)}"}


def _parameter(name: str) -> Described:
    meaning, schema = QUERIES[name] if name in QUERIES else HEADERS[name]
    place = "query" if name in QUERIES else "header"
    return {"name": name, "in": place, "description": meaning, "schema": schema}


def _made(kind: str, *, existing: bool = False) -> dict[int, Described]:
    """Return the answers to a create. ``existing``: it may be answered with what is there already."""
    statuses = (200, 201, 202) if existing else (201, 202)
    return {status: _answer((kind, "Job"), "Location", "CIMI-Job-URI", "ETag") for status in statuses}


def _answer(kind: str | tuple[str, ...] | None, *headers: str) -> Described:
    kinds = (kind,) if isinstance(kind, str) else kind
    described: Described = {"description": " or ".join(kinds) if kinds else "what the action makes"}
    if headers:
        described["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return {**described, "content": _documents(*kinds)} if kinds else described


def _unchanged() -> Described:
    return {"description": "the client has this representation: If-None-Match names it"}


def _refused(error: type[errors.GatewayError]) -> Described:
    return {"$ref": f"#/components/responses/{error.__name__}"}


def _refusal(error: type[errors.GatewayError]) -> Described:
    """Return an error's answer: a Job that is no real one and tells what was wrong (DSP0263 4.1.8)."""
    return {"description": HTTPStatus(errors.status_of(error.return_code)).phrase, "content": _documents("Job")}


def _documents(*kinds: str) -> dict[str, Any]:
    """Return the content of documents of one of these kinds, in both formats."""
    references = [{"$ref": f"#/components/schemas/{kind}"} for kind in kinds]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    return {JSON: {"schema": schema}, XML: {"schema": schema}}
