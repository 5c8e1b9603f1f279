"""CIMI's XML as the documents that its JSON has, and back (DSP0263 4.6, 5.5)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from cimi_client.errors import ProtocolError
from cimi_client.json_types import Document, Json, text
from cimi_client.vocabulary import (
    BOOLEANS,
    COMMON,
    EXTENSION_NAMESPACE,
    HEXADECIMAL,
    INTEGERS,
    NAMESPACE,
    ORDER,
    RENAMED,
    REPEATED,
    items_key,
    type_of_element,
)

DEEPEST = 64
"""Levels of elements in an answer."""
ARRAYS_EVERYWHERE = {"operation": "operations"}
Element = ElementTree.Element


class _Builder(ElementTree.TreeBuilder):
    """A builder that refuses document types, and with them entities."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        raise ProtocolError("the answer has a document type declaration, which CIMI has not")


# Reading


def read(body: bytes) -> dict[str, Json]:
    """Return the document of an answer in XML. Raises ProtocolError for what is not well-formed, or too deep."""
    parser = ElementTree.XMLParser(target=_Builder())  # noqa: S314 - no document types, and expat bounds what is left
    try:
        parser.feed(body)
        root: Element = parser.close()
    except ElementTree.ParseError as error:
        raise ProtocolError(f"the answer is no XML: {error}") from None
    kind = _local(root.tag)
    if kind == "Collection":
        return _collection(root)
    namespace = root.tag[1:].partition("}")[0] if root.tag.startswith("{") else NAMESPACE
    return {"resourceURI": f"{namespace}/{kind}", **_members(root, kind, 1)}


def _collection(root: Element) -> dict[str, Json]:
    uri = root.get("resourceURI", "")
    document: dict[str, Json] = {"resourceURI": uri}
    items: dict[str, list[Json]] = {}
    operations: list[Json] = []
    for child in root:
        name = _local(child.tag)
        if name == "operation":
            operations.append(_value(child, "Collection", 1))
        elif name[:1].isupper():
            kind_uri = f"{uri.rpartition('/')[0] or NAMESPACE}/{name}"
            items.setdefault(items_key(name), []).append({"resourceURI": kind_uri, **_members(child, name, 2)})
        else:
            document[name] = _value(child, "Collection", 1)
    document.update(items)
    if operations:
        document["operations"] = operations
    return document


def _members(element: Element, kind: str, depth: int) -> dict[str, Json]:
    """Return the attributes that an element's children and XML attributes stand for."""
    if depth > DEEPEST:
        raise ProtocolError(f"the answer is nested deeper than {DEEPEST} elements")
    members: dict[str, Json] = {_local(name): _scalar(_local(name), value) for name, value in element.attrib.items()}
    arrays = {**ARRAYS_EVERYWHERE, **REPEATED.get(kind, {})}
    gathered: dict[str, list[Json]] = {}
    properties: dict[str, Json] = {}
    for child in element:
        name = RENAMED.get(kind, {}).get(_local(child.tag), _local(child.tag))
        if name == "property":
            properties[child.get("key") or child.get("name") or ""] = (child.text or "").strip()
        else:
            gathered.setdefault(name, []).append(_value(child, kind, depth + 1))
    for name, values in gathered.items():
        members[arrays.get(name, name)] = values if name in arrays or len(values) > 1 else values[0]
    if properties:
        members["properties"] = properties
    return members


def _value(element: Element, kind: str, depth: int) -> Json:
    name = _local(element.tag)
    content = (element.text or "").strip()
    if len(element) or element.attrib:
        members = _members(element, type_of_element(name), depth)
        if name == "capability" and content:
            members["value"] = _guessed(content)
        return members
    if (kind, name) in HEXADECIMAL:
        return _from_hex(content)
    return _scalar(name, content)


def _scalar(name: str, content: str) -> Json:
    if name in INTEGERS and content.lstrip("-").isdecimal():
        return int(content)
    if name in BOOLEANS and content in ("true", "false"):
        return content == "true"
    return content


def _guessed(content: str) -> Json:
    """Return the value of a capability, whose type nothing tells."""
    if content in ("true", "false"):
        return content == "true"
    return int(content) if content.isdecimal() else content


def _from_hex(content: str) -> str:
    try:
        return bytes.fromhex(content).decode()
    except ValueError:
        return content


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


# Writing


def write(document: Document, root: str) -> bytes:
    """Return a document as XML with this root element; ``None`` is an empty element, which erases."""
    element = ElementTree.Element(root, xmlns=NAMESPACE)
    for name, value in _ordered(document, root):
        if name not in ("resourceURI", "operations"):
            _append(element, root, name, value)
    written: bytes = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    return written


def _ordered(document: Document, kind: str) -> Iterator[tuple[str, Json]]:
    """Yield the members in the order of the schema; what it does not have comes last."""
    template = kind.removesuffix("Create")
    own = ORDER.get(kind, ORDER.get(template, ()))
    places = {name: place for place, name in enumerate(own if kind == "Action" else (*COMMON, *own))}
    yield from sorted(document.items(), key=lambda member: places.get(member[0], len(places)))


def _append(parent: Element, kind: str, name: str, value: Json) -> None:
    entries = {array: entry for entry, array in REPEATED.get(kind, {}).items()}
    if name == "properties" and isinstance(value, Mapping):
        for key, content in value.items():
            ElementTree.SubElement(parent, "property", key=key).text = text(content)
    elif isinstance(value, list | tuple):
        for entry in value:
            _append_one(parent, kind, entries.get(name, name), entry)
    else:
        _append_one(parent, kind, name, value)


def _append_one(parent: Element, kind: str, name: str, value: Json) -> None:
    extension = {"xmlns": EXTENSION_NAMESPACE} if _is_extension(kind, name) else {}
    element = ElementTree.SubElement(parent, name, extension)
    if isinstance(value, Mapping):
        if "href" in value:
            element.set("href", text(value["href"]))
        inner = type_of_element(name)
        for member, content in _ordered(value, inner):
            if member == "initialLocation" and kind == "MachineTemplate":
                element.set(member, text(content))
            elif member not in ("href", "resourceURI", "operations"):
                _append(element, inner, member, content)
    elif (kind.removesuffix("Create"), name) in HEXADECIMAL:
        element.text = text(value).encode().hex()
    else:
        element.text = text(value)


def _is_extension(kind: str, name: str) -> bool:
    """Return whether a type that the schema orders does not have this attribute."""
    entry = REPEATED.get(kind, {}).get(name, name)
    return kind in ORDER and kind != "Action" and name != "property" and entry not in (*COMMON, *ORDER[kind])
