"""Documents of exchanges: the resources in them, and the attributes of these with their kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from conformance import vocabulary as words
from conformance import xml_form
from conformance.vocabulary import Attribute
from conformance.wire import Document, Exchange, kind_of

OF_COLLECTIONS = ("resourceURI", "id", "count", "operations", "updated", "parent")


def is_collection(document: Document | None) -> bool:
    """Return whether a document is a collection, by its resourceURI."""
    return kind_of(document).endswith("Collection")


def items_of(document: Document) -> list[Document]:
    """Return the items of a collection, which says in its resourceURI what they are called."""
    kind = kind_of(document).removesuffix("Collection")
    items = document.get(words.items_key(kind)) if kind else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def resources(exchange: Exchange) -> Iterator[tuple[str, Document]]:
    """Yield each resource that an answer shows, with its type: the root, or a collection's items."""
    document = exchange.document
    if document is None:
        return
    kind = kind_of(document)
    if not is_collection(document):
        yield kind, document
        return
    for item in items_of(document):
        yield kind.removesuffix("Collection"), item


def elements(exchange: Exchange) -> Iterator[tuple[str, etree._Element]]:
    """Yield the XML element of each resource that an answer shows, with its type."""
    if exchange.root is None:
        return
    if xml_form.local(exchange.root) != "Collection":
        yield xml_form.local(exchange.root), exchange.root
        return
    for child in xml_form.children(exchange.root):
        if xml_form.local(child) not in ("id", "count", "operation", "updated", "parent"):
            yield xml_form.local(child), child


def values(kind: str, document: Document) -> Iterator[tuple[str, Attribute, Any]]:
    """Yield name, declaration and value of each attribute of the standard, those inside structures too."""
    for name, attribute in words.shape(kind).items():
        if name not in document:
            continue
        content = document[name]
        for value in content if attribute.repeated and isinstance(content, list) else [content]:
            yield name, attribute, value
            if isinstance(value, dict) and attribute.kind in words.STRUCTURES:
                yield from ((f"{name}.{deep}", *member) for deep, *member in values(attribute.kind, value))


def arrays(kind: str, document: Document) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each array of the standard."""
    for name, attribute in words.shape(kind).items():
        if attribute.repeated and name in document:
            yield name, document[name]


def hrefs(value: Any) -> Iterator[str]:
    """Yield every id and href in a document, however deep."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("href", "id") and isinstance(inner, str):
                yield inner
            else:
                yield from hrefs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from hrefs(inner)


def named(document: Document) -> str:
    """Return what a report calls a document: its id, or else its type."""
    return str(document.get("id") or document.get("resourceURI") or "a document without id")
