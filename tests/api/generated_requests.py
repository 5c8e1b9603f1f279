"""Requests that schemathesis makes of the description, aimed at what exists: real ids, real references, known names."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from gateway.cimi.documents import ActionSchema
from gateway.cimi.fields import Attribute
from gateway.cimi.references import Array, Ref, RefOrValue, Structure, schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from tests.api.routes import Route
from tests.api.world import World
from tests.api.xml_documents import as_xml

Operation = APIOperation[Any, Any, Any, Any]
JSON, XML = "application/json", "application/xml"
TEXTS = ("", " ", "\0", "\ud800", "é\u202e🜁", "x" * 5000, "machines", "mapped", "10.0.0.0/8", "1970-01-01T00:00:00Z")
STRANGE: tuple[Any, ...] = (*TEXTS, None, True, -1, 2**62, 2**70, 1.5, [], {}, [[]], {"href": 1}, {"href": "machines"})
FILTERS = ("name='a'", "created>2012-01-01 and name!=''", "property['k']='v' or cpu>0", "id='x'", "((name='a'", "cpu='")
QUERIES: Mapping[str, tuple[str, ...]] = {
    "$filter": FILTERS,
    "$select": ("name,id", "operations", "*", "state,properties", "nothing"),
    "$expand": ("", "*", "volumes,disks", "machineConfig,eventLog"),
    "$orderby": ("name:desc,created", "cpu", "state:down"),
    "$first": ("1", "2", "0", "-3", "x"),
    "$last": ("1", "3", "999999999999999999999"),
    "$format": ("json", "xml", "XML", "csv"),
}


@dataclass(frozen=True)
class Sent:
    """One request as it goes over the wire, and the case that it was made of."""

    case: Case[Any]
    url: str
    body: bytes
    media: str | None
    headers: dict[str, str] = field(default_factory=dict)


def operations(description: dict[str, Any], server: str) -> dict[tuple[str, str], Operation]:
    """By method and path template."""
    schema = schemathesis.openapi.from_dict({**description, "servers": [{"url": server}]})
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {(operation.method.upper(), operation.path): operation for operation in found}


def drawn(operation: Operation, mode: GenerationMode, count: int) -> list[Case[Any]]:
    """The same ones in every run. None where no request can be wrong, as it has nothing in it."""
    cases: list[Case[Any]] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def collect(case: Case[Any]) -> None:
        cases.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    return cases


class Aim:
    """Turns generated cases, and documents that are right, into requests that get far. The same ones in every run."""

    def __init__(self, route: Route, method: str, server: str, paths: Mapping[str, str]) -> None:
        self.route = route
        self.method = method
        self._server = server
        self._paths = paths
        self._chance = Random(f"{method} {route.path}")

    def generated(self, case: Case[Any]) -> Sent:
        if isinstance(case.body, dict) and self.members:
            case.body = self._referring(self.members, case.body)
        query = dict(case.query or {})
        for name, texts in QUERIES.items():
            if name in query and self._chance.random() < 0.6:
                query[name] = self._chance.choice(texts)
        case.query = query
        prepared = self._prepared(case)
        url = self._aimed(str(prepared.url))
        body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body or b""
        assert isinstance(body, bytes)
        return Sent(case, url, body, case.media_type, self._some_headers(case))

    def written(self, case: Case[Any], document: dict[str, Any], media: str) -> Sent:
        """A request with this document in place of the generated one."""
        body = as_xml(self.root, self.members, document) if media == XML else _json(document)
        return Sent(case, self._server + self.route.filled(self._path()), body, media)

    def sent(self, case: Case[Any], content: bytes, media: str) -> Sent:
        """A request with bytes in place of a document."""
        return Sent(case, self._server + self.route.filled(self._path()), content, media)

    def mutated(self, document: dict[str, Any]) -> dict[str, Any]:
        """With one thing wrong, somewhere."""
        changed = copy.deepcopy(document)
        place: Any = changed
        while True:
            names = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not names:
                break
            name = self._chance.choice(names)
            if isinstance(place[name], dict | list) and place[name] and self._chance.random() < 0.7:
                place = place[name]
                continue
            if self._chance.random() < 0.2 and isinstance(place, dict):
                place[f"{name}x"] = place.pop(name)
            else:
                place[name] = self._chance.choice(STRANGE)
            break
        return changed

    # Where to, and what

    @property
    def members(self) -> dict[str, Attribute]:
        """What the body may have, by the declarations."""
        if self.route.collection is not None:
            kind = self.route.collection.kind
            return schema_fields(CREATE_SCHEMAS.get(kind, TYPES[kind].schema))
        if self.route.item is not None and self.method == "PUT":
            return self.route.item.attributes
        return schema_fields(ActionSchema)

    @property
    def root(self) -> str:
        if self.route.collection is not None:
            return f"{self.route.collection.kind}Create"
        return self.route.item.kind if self.route.item is not None and self.method == "PUT" else "Action"

    def _path(self) -> str | None:
        kind = self.route.named
        return None if kind is None else self._paths[World.key(kind, self.route.action)]

    def _aimed(self, url: str) -> str:
        """Mostly at a resource that is there."""
        _, mark, query = url.partition("?")
        if self.route.named is None or self._chance.random() < 0.15:
            return url
        return self._server + self.route.filled(self._path()) + mark + query

    def _prepared(self, case: Case[Any]) -> requests.PreparedRequest:
        known = case.as_transport_kwargs(base_url=self._server)
        names = ("method", "url", "data", "json", "params")
        return requests.Request(**{name: known[name] for name in names if name in known}).prepare()

    def _some_headers(self, case: Case[Any]) -> dict[str, str]:
        """Seldom: most generated ones are refused before anything else is looked at."""
        given = {name: str(value) for name, value in (case.headers or {}).items()}
        kept = {name: value for name, value in given.items() if self._chance.random() < 0.2}
        ours = ("authorization", "content-type", "accept", "x-schemathesis-testcaseid", "content-length", "host")
        return {name: value for name, value in kept.items() if name.lower() not in ours and _can_be_sent(name, value)}

    def _referring(self, members: Mapping[str, Attribute], document: dict[str, Any]) -> dict[str, Any]:
        """With the references of most attributes leading to a resource of their kind."""
        return {
            name: self._value(members[name], value) if name in members else value for name, value in document.items()
        }

    def _value(self, member: Attribute, value: Any) -> Any:
        if isinstance(member, Array) and isinstance(value, list):
            return [self._value(member.entry, entry) for entry in value]
        if not isinstance(value, dict):
            return value
        if isinstance(member, Structure):
            value = self._referring(member.members, value)
        if "href" in value and isinstance(member, Ref | RefOrValue) and self._chance.random() < 0.8:
            return {**value, "href": self._paths.get(member.kind, self._chance.choice(list(self._paths.values())))}
        return value


def _can_be_sent(name: str, value: str) -> bool:
    return (name + value).isprintable() and name.replace("-", "").isalnum() and (name + value).isascii()


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()
