"""XML of CIMI 1.x to documents in JSON's vocabulary, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from conformance import vocabulary as words
from conformance.vocabulary import Attribute

Document = dict[str, Any]
CIMI = f"{{{words.NAMESPACE}}}"
SIMPLE = {"string", "integer", "boolean", "dateTime", "duration", "uri"}


def parse(body: bytes) -> etree._Element:
    """Return the root, without fetching anything outside of the text. Raises etree.XMLSyntaxError."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    return etree.fromstring(body, parser)


def local(element: etree._Element) -> str:
    """Return the name of an element without its namespace."""
    return etree.QName(element).localname


def is_foreign(element: etree._Element) -> bool:
    """Return whether an element is of another namespace than the standard's."""
    return etree.QName(element).namespace not in (words.NAMESPACE, None)


# Reading


def document(root: etree._Element) -> Document:
    """Return the document in XML as JSON would have it."""
    if local(root) == "Collection":
        return {"resourceURI": root.get("resourceURI"), **_collection(root)}
    kind = local(root)
    return {"resourceURI": words.type_uri(kind), **_resource(root, kind)}


def _collection(element: etree._Element) -> Document:
    """Return id, count, items and operations of a Collection, or of a reference to one that is expanded."""
    collection: Document = {}
    for child in children(element):
        name = local(child)
        if name == "operation":
            collection.setdefault("operations", []).append(attributes_of(child))
        elif name in ("id", "updated", "parent"):
            collection[name] = text(child)
        elif name == "count":
            collection[name] = scalar(text(child), "integer")
        else:
            item = {"resourceURI": words.type_uri(name), **_resource(child, name)}
            collection.setdefault(words.items_key(name), []).append(item)
    return collection


def _resource(element: etree._Element, kind: str) -> Document:
    if kind == "ResourceMetadata":
        return _metadata(element)
    resource: Document = {}
    attributes = words.by_element(kind)
    for child in children(element):
        name = local(child)
        if name == "operation":
            resource.setdefault("operations", []).append(attributes_of(child))
        elif name == "property":
            resource.setdefault("properties", {})[child.get("key")] = text(child)
        else:
            _add(resource, attributes.get(name) or Attribute(name, "any"), child)
    return resource


def _add(resource: Document, attribute: Attribute, child: etree._Element) -> None:
    value = _value(child, attribute.kind)
    if attribute.repeated:
        resource.setdefault(attribute.name, []).append(value)
    else:
        resource[attribute.name] = value


def _value(element: etree._Element, kind: str) -> Any:
    if kind in SIMPLE:
        return scalar(text(element), kind)
    if kind == "any":
        return _anything(element)
    if kind == "ref":
        return {**attributes_of(element), **_expanded(element)}
    attributes = {name: scalar(value, _kind_of(kind, name)) for name, value in attributes_of(element).items()}
    return {**attributes, **_resource(element, kind)}


def _expanded(element: etree._Element) -> Document:
    """Return the members inside an expanded reference: a collection's, or a resource's."""
    names = [local(child) for child in children(element)]
    if "count" in names:
        return _collection(element)
    return {name: _anything(child) for name, child in zip(names, children(element), strict=True)}


def _anything(element: etree._Element) -> Any:
    inner = list(children(element))
    if element.get("href") is not None:
        return {"href": element.get("href"), **_expanded(element)}
    return {local(child): _anything(child) for child in inner} if inner else text(element)


def _kind_of(structure: str, name: str) -> str:
    attribute = words.shape(structure).get(name)
    return attribute.kind if attribute is not None and attribute.kind in SIMPLE else "string"


def _metadata(element: etree._Element) -> Document:
    metadata: Document = {}
    for child in children(element):
        name = local(child)
        if name in ("attribute", "capability", "action"):
            entry: Document = attributes_of(child)
            if text(child):
                entry["value"] = text(child)
            plural = "capabilities" if name == "capability" else f"{name}s"
            metadata.setdefault(plural, []).append(entry)
        elif name == "operation":
            metadata.setdefault("operations", []).append(attributes_of(child))
        else:
            metadata[name] = text(child)
    return metadata


def scalar(value: str, kind: str) -> Any:
    """Return a value as JSON would have it; text that is not of its kind stays text, for a check to find."""
    if kind == "integer" and value.lstrip("-").isdecimal():
        return int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value


def attributes_of(element: etree._Element) -> Document:
    """Return the XML attributes of an element."""
    return {str(name): str(value) for name, value in element.attrib.items()}


def text(element: etree._Element) -> str:
    """Return the text of an element, without white space around it."""
    return (element.text or "").strip()


def children(element: etree._Element) -> Iterator[etree._Element]:
    """Yield the elements inside an element, without comments."""
    return (child for child in element if isinstance(child.tag, str))


# Writing


def encode(kind: str, content: Document) -> bytes:
    """Return a request body. Unknown members become elements of the standard's namespace, None an empty element."""
    names: Any = {None: words.NAMESPACE}
    root = etree.Element(f"{CIMI}{kind}", nsmap=names)
    _fill(root, kind, {name: value for name, value in content.items() if name != "resourceURI"})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _fill(element: etree._Element, kind: str, content: Document) -> None:
    shape = words.shape(kind)
    order = {name: position for position, name in enumerate(shape)}
    for name in sorted(content, key=lambda name: order.get(name, len(order))):
        value, attribute = content[name], shape.get(name) or Attribute(name, "any")
        if kind in words.XML_ATTRIBUTES and attribute.kind in SIMPLE and value is not None:
            element.set(name, str(value))
        elif name == "properties":
            for key, entry in (value or {}).items():
                etree.SubElement(element, f"{CIMI}property", key=key).text = entry
        else:
            for entry in value if attribute.repeated and isinstance(value, list) else [value]:
                _write(element, attribute, entry)


def _write(parent: etree._Element, attribute: Attribute, value: Any) -> None:
    if attribute.name == "operations" or attribute.name == "resourceURI":
        return
    element = etree.SubElement(parent, f"{CIMI}{attribute.item or attribute.name}")
    if isinstance(value, dict):
        if "href" in value:
            element.set("href", str(value["href"]))
        _fill(element, attribute.kind, {name: inner for name, inner in value.items() if name != "href"})
    elif isinstance(value, list):
        for entry in value:
            _write(element, Attribute("item", "any"), entry)
    elif value is not None:
        element.text = str(value).lower() if isinstance(value, bool) else str(value)
