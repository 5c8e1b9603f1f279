"""The words to a guest on itself and its neighbours (DSP0243 clause 10, DSP8027), and the same for cloud-init."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from lxml import etree

from gateway.ovf.bounds import MOST_TOLD
from gateway.ovf.deployment import Group, Guest
from gateway.ovf.elements import Element
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import ENVIRONMENT
from gateway.ovf.properties import Value

KIND = "KVM"
NAMESPACES: Any = {None: ENVIRONMENT, "oe": ENVIRONMENT}
DOCUMENT_BYTES, ENTITY_BYTES, PROPERTY_BYTES = 360, 96, 48
"""What the XML itself takes around ids, names and values, at most."""
ESCAPES = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
KEYS, USER_DATA = "public-keys", "user-data"


def environment(guest: Guest, around: Group | None) -> bytes:
    """Return the document ``ovf-env.xml``. A guest is told everything of its neighbours but their passwords."""
    root = etree.Element(_name("Environment"), {_name("id"): guest.system.id}, nsmap=NAMESPACES)
    platform = etree.SubElement(root, _name("PlatformSection"))
    etree.SubElement(platform, _name("Kind")).text = KIND
    _properties(root, guest.values)
    for neighbour in _neighbours(guest, around):
        values = {name: value for name, value in neighbour.values.items() if not value.secret}
        entity = etree.SubElement(root, _name("Entity"), {_name("id"): _identity(neighbour)})
        _properties(entity, values)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def awaits_environment(guest: Guest) -> bool:
    """Return whether a guest looks for an ISO image with the document, and there is something to tell (clause 10.2)."""
    return "iso" in guest.transports and bool(guest.values)


def _neighbours(guest: Guest, around: Group | None) -> Iterable[Guest | Group]:
    return (part for part in around.parts if part is not guest) if around is not None else ()


def _identity(part: Guest | Group) -> str:
    return part.system.id if isinstance(part, Guest) else part.collection.id


def _name(local: str) -> str:
    return f"{{{ENVIRONMENT}}}{local}"


def _properties(parent: Element, values: Mapping[str, Value]) -> None:
    if not values:
        return
    section = etree.SubElement(parent, _name("PropertySection"))
    for name, value in values.items():
        etree.SubElement(section, _name("Property"), {_name("key"): name, _name("value"): value.text})


@dataclass(frozen=True, slots=True)
class CloudInit:
    """The properties that cloud-init's own OVF data source reads, for a seed of another kind."""

    keys: tuple[str, ...] = ()
    user_data: bytes | None = None


def cloud_init(values: Mapping[str, Value]) -> CloudInit:
    """Return the properties that cloud-init knows by name: public-keys, and user-data (plain or Base64)."""
    keys, user_data = (values[name].text if name in values else "" for name in (KEYS, USER_DATA))
    return CloudInit(
        keys=tuple(line.strip() for line in keys.splitlines() if line.strip()),
        user_data=_decoded(user_data) if user_data else None,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


def demand_tellable(deployed: Guest | Group) -> None:
    """Raise PackageInvalid when all guests together are told more than MOST_TOLD bytes.

    This is known once the guests are deployed: the importer and the configuration choose the values. Nothing is
    written for it, and its cost is that of the package, however often a value is told.
    """
    measure, size = _Measure(), 0
    for around, parts in _levels(deployed):
        size += measure.level(around, parts)
        if size > MOST_TOLD:
            who = f"VirtualSystemCollection {around.collection.id[:60]!r}" if around else "the VirtualSystem"
            raise PackageInvalid(
                f"with {who} the guests of the package are told {size} bytes, each its own properties and those of its "
                f"neighbours; at most {MOST_TOLD} can be imported"
            )


def _levels(deployed: Guest | Group) -> Iterator[tuple[Group | None, tuple[Guest | Group, ...]]]:
    """Yield each collection with what is directly in it."""
    if isinstance(deployed, Guest):
        yield None, (deployed,)
        return
    yield deployed, deployed.parts
    for part in deployed.parts:
        if isinstance(part, Group):
            yield from _levels(part)


class _Measure:
    """Bytes in the documents of guests. A text is measured once, however many of them have it."""

    def __init__(self) -> None:
        self._texts: dict[str, int] = {}

    def level(self, around: Group | None, parts: tuple[Guest | Group, ...]) -> int:
        """Return the bytes that the parts of one collection are told, with those of the collection itself."""
        entities = {id(part): self._entity(part) for part in parts}
        everything = sum(entities.values())
        size = self._values(around.values) if around is not None else 0
        for guest in parts:
            if not isinstance(guest, Guest):
                continue
            if awaits_environment(guest):
                size += DOCUMENT_BYTES + self._text(guest.system.id) + self._values(guest.values)
                size += everything - entities[id(guest)] if around is not None else 0
            else:
                size += self._values(_seeded(guest, around))
        return size

    def _entity(self, part: Guest | Group) -> int:
        values = {name: value for name, value in part.values.items() if not value.secret}
        return ENTITY_BYTES + self._text(_identity(part)) + self._values(values)

    def _values(self, values: Mapping[str, Value]) -> int:
        return sum(PROPERTY_BYTES + self._text(name) + self._text(value.text) for name, value in values.items())

    def _text(self, text: str) -> int:
        if text not in self._texts:
            self._texts[text] = len(escape(text, ESCAPES).encode("utf-8", "surrogatepass"))
        return self._texts[text]


def _seeded(guest: Guest, around: Group | None) -> Mapping[str, Value]:
    """Return the values that become something for a guest without the document: its own, and what cloud-init knows."""
    outer = around.values if around is not None else {}
    return {
        name: value for name, value in guest.values.items() if name in (KEYS, USER_DATA) or outer.get(name) is not value
    }
