"""What a guest is told of itself and its neighbours (DSP0243 clause 10, DSP8027), and the same for cloud-init."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from gateway.ovf.deployment import Group, Guest
from gateway.ovf.elements import Element
from gateway.ovf.names import ENVIRONMENT
from gateway.ovf.properties import Value

KIND = "KVM"
NAMESPACES: Any = {None: ENVIRONMENT, "oe": ENVIRONMENT}


def environment(guest: Guest, around: Group | None) -> bytes:
    """The document ``ovf-env.xml``. Of its neighbours a guest is told everything but their passwords."""
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
    """Whether it looks for an ISO image with the document, and there is something to tell (clause 10.2)."""
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
    """What cloud-init's own OVF data source reads of the properties, for a seed of another kind."""

    keys: tuple[str, ...] = ()
    user_data: bytes | None = None


def cloud_init(values: Mapping[str, Value]) -> CloudInit:
    """The properties that cloud-init knows by name: public-keys, and user-data (plain or Base64)."""
    keys, user_data = (values[name].text if name in values else "" for name in ("public-keys", "user-data"))
    return CloudInit(
        keys=tuple(line.strip() for line in keys.splitlines() if line.strip()),
        user_data=_decoded(user_data) if user_data else None,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return text.encode()
