"""XML text to raw documents and back, by walking the declarations (DSP0263 5.5).

xmltodict reads the text; ``gateway.xml_guard`` refuses before it what must never reach it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

import xmltodict

from gateway.cimi.bounds import DEEPEST, MOST_NODES, demand_bounded
from gateway.cimi.dialects import Dialect
from gateway.cimi.fields import Attribute
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_members import raw_from_xml
from gateway.cimi.xml_text import attribute_text, element_text
from gateway.errors import Invalid
from gateway.xml_guard import demand_harmless, malformed

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


def decode(body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the root's local name and its content as xmltodict gives it. Raises Invalid for everything else."""
    demand_harmless(body, DEEPEST, MOST_NODES, most_attributes=MOST_NODES)
    try:
        parsed = xmltodict.parse(body, disable_entities=True, force_cdata=False)
    except expat.ExpatError as error:
        raise malformed(error) from None
    except (ValueError, LookupError) as error:
        raise Invalid(f"malformed XML: {str(error)[:200]}") from None
    root, content = next(iter(parsed.items()))
    document = _as_mapping(content)
    demand_bounded(document, "XML")
    return root.rpartition(":")[2], document


def _as_mapping(content: Any) -> dict[str, Any]:
    if content is None:
        return {}
    return content if isinstance(content, dict) else {"#text": content}


def raw(attributes: dict[str, Attribute], content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the raw JSON-shaped document; the root's own XML attributes (resourceURI, xmlns) mean nothing here."""
    children = {key: value for key, value in content.items() if not key.startswith("@")}
    return raw_from_xml(attributes, children)


class Ready(str):
    """An element that is encoded already."""

    __slots__ = ()


def encode_resource(described: ResourceType, wire: dict[str, Any], dialect: Dialect) -> bytes:
    """Return a resource as an XML document."""
    out = [_opening(described, dialect), *children(described, wire, dialect), f"</{described.kind}>"]
    return "".join(out).encode()


def _opening(described: ResourceType, dialect: Dialect) -> str:
    return f'{DECLARATION}<{described.kind} xmlns="{dialect.namespace_of(described.kind)}">'


def _collection_opening(described: ResourceType, dialect: Dialect) -> str:
    uri = attribute_text(dialect.type_uri(described.kind + "Collection"))
    return f'{DECLARATION}<Collection xmlns="{dialect.namespace}" resourceURI="{uri}">'


def ready_item(described: ResourceType, document: bytes, dialect: Dialect) -> Ready:
    """Return the document of a resource as it stands in a collection."""
    start = f"<{described.kind}{_foreign(described, dialect)}>"
    return Ready(start + document[len(_opening(described, dialect)) :].decode())


def _foreign(described: ResourceType, dialect: Dialect) -> str:
    """Return what an element of a type says of its namespace where it stands among those of the standard."""
    namespace = dialect.namespace_of(described.kind)
    return "" if namespace == dialect.namespace else f' xmlns="{namespace}"'


def inside_resource(described: ResourceType, document: bytes, dialect: Dialect) -> str:
    """Return what stands in the root element of a resource's document."""
    return document[len(_opening(described, dialect)) : -len(f"</{described.kind}>")].decode()


def inside_collection(described: ResourceType, document: bytes, dialect: Dialect) -> str:
    """Return what stands in the root element of a collection's document."""
    return document[len(_collection_opening(described, dialect)) : -len("</Collection>")].decode()


def write_resource(
    described: ResourceType, wire: dict[str, Any], dialect: Dialect, out: list[str], attributes: str = ""
) -> None:
    """Append ``<Kind>`` with its children; ``attributes`` is XML text that goes into the start tag."""
    out.append(f"<{described.kind}{attributes}>")
    out.extend(children(described, wire, dialect))
    out.append(f"</{described.kind}>")


def children(described: ResourceType, wire: dict[str, Any], dialect: Dialect) -> list[str]:
    """Return the elements of a resource: id, the attributes in the standard's order, operations, and late ones."""
    out: list[str] = []
    late: list[str] = []
    if "id" in wire:
        out.append(f"<id>{element_text(wire['id'])}</id>")
    for name, field in described.attributes.items():
        value = wire.get(name)
        if value is not None and field.in_xml:
            field.to_xml(value, late if name in described.late_attributes or field.extension else out)
    out.extend(operations(wire))
    out.extend(late)
    return out


def operations(wire: dict[str, Any]) -> list[str]:
    """Return the elements of the operations."""
    return [
        f'<operation rel="{attribute_text(entry["rel"])}" href="{attribute_text(entry["href"])}"/>'
        for entry in wire.get("operations", ())
    ]


def encode_collection(described: ResourceType, wire: dict[str, Any], dialect: Dialect) -> bytes:
    """Return a collection as an XML document; its items may be encoded already."""
    out = [_collection_opening(described, dialect), *collection_children(described, wire, dialect), "</Collection>"]
    return "".join(out).encode()


def collection_children(described: ResourceType, wire: dict[str, Any], dialect: Dialect) -> list[str]:
    """Return the elements of a collection: id, count, items and operations."""
    out: list[str] = []
    for name in ("id", "count"):
        if name in wire:
            out.append(f"<{name}>{element_text(str(wire[name]))}</{name}>")
    for item in wire.get(described.items_key, ()):
        if isinstance(item, Ready):
            out.append(item)
        else:
            write_resource(described, item, dialect, out, _foreign(described, dialect))
    out.extend(operations(wire))
    return out
