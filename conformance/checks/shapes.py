"""What representations look like: each attribute of its kind, elements in the schema's order, extensions announced."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lxml import etree

from conformance import vocabulary as words
from conformance import xml_form
from conformance.catalogue import catalogue
from conformance.documents import arrays, elements, is_collection, named, resources, values
from conformance.provider import Provider
from conformance.registry import audit
from conformance.wire import Document, Exchange

Said = str | bool | None
DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
DURATION = re.compile(r"-?P(?=.)(\d+Y)?(\d+M)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
ANYWHERE = {"resourceURI", "operations", "href"}
STATES: dict[str, str] = {
    "Machine": "CREATING STARTING STARTED STOPPING STOPPED PAUSING PAUSED SUSPENDING SUSPENDED CAPTURING RESTORING"
    " DELETING ERROR FAILED",
    "MachineImage": "CREATING AVAILABLE DELETING ERROR",
    "System": "CREATING STARTING STARTED STOPPING STOPPED PAUSING PAUSED SUSPENDING SUSPENDED MIXED DELETING ERROR",
    "Volume": "CREATING AVAILABLE CAPTURING RESTORING DELETING ERROR",
    "VolumeImage": "CREATING AVAILABLE DELETING ERROR",
    "Network": "CREATING STARTING STARTED STOPPING STOPPED DELETING ERROR",
    "NetworkPort": "CREATING STARTING STARTED STOPPING STOPPED DELETING ERROR",
    "Job": "QUEUED RUNNING STOPPING STOPPED SUCCESS FAILED",
}


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


FITS: dict[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "string": lambda value: isinstance(value, str),
    "dateTime": lambda value: isinstance(value, str) and bool(DATE_TIME.fullmatch(value)),
    "duration": lambda value: isinstance(value, str) and bool(DURATION.fullmatch(value)),
    "uri": lambda value: isinstance(value, str) and not re.search(r"\s", value),
    "ref": lambda value: isinstance(value, dict) and isinstance(value.get("href"), str) and bool(value["href"]),
    "map": lambda value: isinstance(value, dict) and all(isinstance(entry, str) for entry in value.values()),
}


def _typed(kind: str) -> Callable[[Provider, Exchange], Said]:
    def look(_provider: Provider, exchange: Exchange) -> Said:
        seen = False
        for owner, document in resources(exchange):
            for name, attribute, value in values(owner, document):
                if attribute.kind != kind:
                    continue
                seen = True
                if not FITS[kind](value):
                    return f"{name} of {named(document)} is {value!r}"
        return True if seen else None

    return look


for _name, _kind in (
    ("type-boolean", "boolean"), ("type-integer", "integer"), ("type-string", "string"), ("type-datetime", "dateTime"),
    ("type-duration", "duration"), ("type-uri", "uri"), ("type-reference", "ref"), ("type-map", "map"),
):  # fmt: skip
    audit(_name)(_typed(_kind))


@audit("empty-string-is-omitted")
def empty_string_is_omitted(_provider: Provider, exchange: Exchange) -> Said:
    seen = False
    for kind, document in resources(exchange):
        for name, attribute, value in values(kind, document):
            if attribute.kind not in ("string", "uri") or (name == "id" and not exchange.good):
                continue
            seen = True
            if value == "":
                return f"{name} of {named(document)} is empty"
    return True if seen else None


@audit("empty-map-is-omitted")
def empty_map_is_omitted(_provider: Provider, exchange: Exchange) -> Said:
    with_properties = [document for _kind, document in resources(exchange) if "properties" in document]
    wrong = [document for document in with_properties if not document["properties"]]
    return (f"{named(wrong[0])} shows empty properties" if wrong else True) if has_resources(exchange) else None


def has_resources(exchange: Exchange) -> bool:
    """Return whether an answer shows any resource."""
    return any(True for _ in resources(exchange))


@audit("type-array")
def type_array(_provider: Provider, exchange: Exchange) -> Said:
    members = [
        (name, value, document) for kind, document in resources(exchange) for name, value in arrays(kind, document)
    ]
    wrong = [(name, document) for name, value, document in members if not isinstance(value, list)]
    return (f"{wrong[0][0]} of {named(wrong[0][1])} is no array" if wrong else True) if members else None


@audit("empty-array-is-omitted")
def empty_array_is_omitted(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None:
        return None
    documents = [exchange.document, *(document for _kind, document in resources(exchange))]
    for document in documents:
        for name, value in document.items():
            if value == []:
                return f"{name} of {named(document)} is empty"
    return True


@audit("null-is-not-shown")
def null_is_not_shown(_provider: Provider, exchange: Exchange) -> Said:
    return _null(exchange.document) if exchange.document is not None else None


def _null(value: Any, name: str = "the root") -> Said:
    if value is None:
        return f"{name} is null"
    if isinstance(value, list):
        value = {f"{name}[{number}]": entry for number, entry in enumerate(value)}
    for key, entry in value.items() if isinstance(value, dict) else ():
        said = _null(entry, str(key))
        if said is not True:
            return said
    return True


@audit("array-is-contiguous")
def array_is_contiguous(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.root is None:
        return None
    for _kind, element in elements(exchange):
        seen: list[str] = []
        for child in xml_form.children(element):
            name = xml_form.local(child)
            if name in seen[:-1] and seen[-1] != name:
                return f"<{name}> stands in several places of <{xml_form.local(element)}>"
            seen.append(name)
    return True


# The order of XML


def rank(kind: str, element: etree._Element) -> tuple[int, int]:
    """Return where the schema has this child: common, own, operations, what comes late, extensions."""
    name = xml_form.local(element)
    if xml_form.is_foreign(element):
        return 5, 0
    if name == "operation":
        return 3, 0
    names = [attribute.item or attribute.name for attribute in words.shape(kind).values()]
    name = words.MISSPELT.get(name, name)
    if name in words.LATE.get(kind, ()):
        return 4, names.index(name)
    return (2, names.index(name)) if name in names else (6, 0)


def disorder(kind: str, element: etree._Element) -> str | None:
    """Return what stands in the wrong place, or is unknown to the schema; None when all is well."""
    highest, before = (0, 0), ""
    for child in xml_form.children(element):
        place = rank(kind, child)
        if place[0] == 6:
            return f"<{xml_form.local(child)}> is no element of <{kind}>"
        if place < highest:
            return f"<{xml_form.local(child)}> of <{kind}> stands behind <{before}>"
        highest, before = place, xml_form.local(child)
    return None


@audit("elements-are-in-order")
def elements_are_in_order(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.root is None:
        return None
    if xml_form.local(exchange.root) == "Collection":
        order = [_place(child) for child in xml_form.children(exchange.root)]
        if order != sorted(order):
            return "a Collection is not id, count, items, operations"
    for kind, element in elements(exchange):
        if kind in words.SHAPES and (wrong := disorder(kind, element)):
            return wrong
    return True


def _place(child: etree._Element) -> int:
    return {"id": 0, "updated": 1, "parent": 2, "count": 3, "operation": 5}.get(xml_form.local(child), 4)


@audit("collection-root-element")
def collection_root_element(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.root is None or not is_collection(exchange.document):
        return None
    if xml_form.local(exchange.root) != "Collection":
        return f"the root is <{xml_form.local(exchange.root)}>"
    wanted = words.type_name(exchange.root.get("resourceURI")).removesuffix("Collection")
    wrong = [kind for kind, _element in elements(exchange) if kind != wanted]
    return f"an item is <{wrong[0]}>, of {exchange.root.get('resourceURI')}" if wrong else True


# Extensions


def extensions(kind: str, document: Document) -> list[str]:
    """Return the names of attributes that the standard does not have for this type."""
    attributes = words.shape(kind)
    flat = {"timestamp", "value"} if kind == "Sample" else set()
    return [name for name in document if name not in attributes and name not in ANYWHERE and name not in flat]


@audit("extensions-are-announced")
def extensions_are_announced(provider: Provider, exchange: Exchange) -> Said:
    if not exchange.good or not provider.offers("resourceMetadata"):
        return None
    seen = False
    for kind, document in resources(exchange):
        for name in extensions(kind, document) if kind in words.SHAPES else []:
            seen = True
            announced = [
                entry for entry in (provider.metadata(kind) or {}).get("attributes", []) if entry.get("name") == name
            ]
            if not announced or not announced[0].get("namespace") or not announced[0].get("type"):
                return f"{name} of {kind} is not announced with namespace and type"
    return True if seen else None


@audit("extensions-are-foreign-in-xml")
def extensions_are_foreign_in_xml(_provider: Provider, exchange: Exchange) -> Said:
    seen = False
    for kind, element in elements(exchange):
        if kind not in words.SHAPES:
            continue
        for child in xml_form.children(element):
            place = rank(kind, child)[0]
            seen = seen or place >= 5
            if place == 6:
                return f"<{xml_form.local(child)}> of <{kind}> is in the standard's namespace, and no element of it"
    return True if seen else None


@audit("identifiers-are-of-letters")
def identifiers_are_of_letters(_provider: Provider, exchange: Exchange) -> Said:
    for _kind, document in resources(exchange):
        for name in document:
            if not IDENTIFIER.fullmatch(name):
                return f"an attribute is named {name!r}"
    return True if has_resources(exchange) else None


# States


@audit("state-is-of-the-standard")
def state_is_of_the_standard(provider: Provider, exchange: Exchange) -> Said:
    seen = False
    for kind, document in resources(exchange):
        if kind not in STATES or "state" not in document:
            continue
        seen = True
        if document["state"] not in STATES[kind].split() and not _own_operation(provider, kind):
            return f"{named(document)} is {document['state']}"
    return True if seen else None


def _own_operation(provider: Provider, kind: str) -> bool:
    actions = (provider.metadata(kind) or {}).get("actions", [])
    return any(not str(action.get("uri", "")).startswith(words.ACTION) for action in actions) and kind not in ("Job",)


# A type's representation: its attributes of their kinds, and no others


def representation(kind: str) -> Callable[[Provider, Exchange], Said]:
    """Return the audit that looks at each resource of a type: attributes of their kinds and in order, and no others."""

    def look(provider: Provider, exchange: Exchange) -> Said:
        documents = [document for own_kind, document in resources(exchange) if own_kind == kind]
        if not documents or not exchange.good:
            return None
        for document in documents:
            for name, attribute, value in values(kind, document):
                if attribute.kind in FITS and not FITS[attribute.kind](value):
                    return f"{name} of {named(document)} is {value!r}, and should be a {attribute.kind}"
            others = [name for name in extensions(kind, document) if not _announced(provider, kind, name)]
            if others:
                return f"{named(document)} has {', '.join(others)}"
        wrong = [disorder(kind, element) for own_kind, element in elements(exchange) if own_kind == kind]
        return next((said for said in wrong if said), True)

    return look


def _announced(provider: Provider, kind: str, name: str) -> bool:
    return any(entry.get("name") == name for entry in (provider.metadata(kind) or {}).get("attributes", []))


def slug(kind: str) -> str:
    """Return the name of a type in the ids of entries, such as machine-image."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()


for _kind in words.SHAPES:
    if f"{slug(_kind)}-representation" in catalogue():
        audit(f"{slug(_kind)}-representation")(representation(_kind))
