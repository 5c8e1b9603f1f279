"""VirtualSystems and VirtualSystemCollections with their sections (DSP0243 clauses 7.2, 8 and 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from gateway.ovf.collection_section import AROUND, collection_around
from gateway.ovf.elements import (
    LONGEST_PROSE,
    Element,
    Walk,
    attribute,
    demanded,
    local,
    text_of,
    truth,
    where,
    whole,
)
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.items import read_hardware
from gateway.ovf.model import (
    Content,
    OperatingSystem,
    Product,
    Property,
    StartupItem,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.template_section import TEMPLATE, read_template

T = TypeVar("T")
DEEPEST = 8
"""Collections inside of collections."""
SHARED = frozenset({"Info", "Name", "AnnotationSection", "ProductSection", "EulaSection", "InstallSection"})
NEEDLESS = frozenset({"InstallSection", "ResourceAllocationSection"})
"""Sections that are put aside even where they are required: the first boot comes anyway, and a Machine has what its
hardware says.
"""
OF_SYSTEM = SHARED | {"VirtualHardwareSection", "OperatingSystemSection"}
OF_COLLECTION = SHARED | {"StartupSection", "ResourceAllocationSection", "VirtualSystem", "VirtualSystemCollection"}
PRODUCT = frozenset(
    {
        "Info",
        "Product",
        "Vendor",
        "Version",
        "FullVersion",
        "ProductUrl",
        "VendorUrl",
        "AppUrl",
        "Icon",
        "Category",
        "Property",
    }
)


def read_whole(walk: Walk, element: Element) -> Content:
    """Return the content of an envelope: one virtual system may tell of the collection that it is alone in."""
    content = read_content(walk, element)
    around = collection_around(element) if isinstance(content, VirtualSystem) else None
    return content if around is None else replace(_collection(walk, around, 0), content=(content,))


def read_content(walk: Walk, element: Element, depth: int = 0) -> Content:
    """Return the virtual system or the collection that an element is.

    Raises PackageInvalid for collections that are nested too deep.
    """
    if depth > DEEPEST:
        raise PackageInvalid(f"collections are nested deeper than {DEEPEST} levels")
    if local(element) == "VirtualSystem":
        return _system(walk, element)
    return _collection(walk, element, depth)


def _system(walk: Walk, element: Element) -> VirtualSystem:
    sections = _sections(walk, element, OF_SYSTEM)
    systems = [_operating_system(walk, section) for section in sections.get("OperatingSystemSection", [])]
    return VirtualSystem(
        id=walk.identity(element, "system"),
        name=walk.text(element, "Name"),
        info=walk.text(element, "Info"),
        annotation=_texts(walk, sections, "AnnotationSection", "Annotation"),
        products=_each(walk, sections, "ProductSection", _product),
        eulas=tuple(walk.text(section, "License", LONGEST_PROSE) for section in sections.get("EulaSection", [])),
        operating_system=systems[0] if systems else None,
        hardware=_each(walk, sections, "VirtualHardwareSection", read_hardware),
        template=read_template(element),
    )


def _collection(walk: Walk, element: Element, depth: int) -> VirtualSystemCollection:
    sections = _sections(walk, element, OF_COLLECTION)
    parts = [part for part in element if local(part) in ("VirtualSystem", "VirtualSystemCollection")]
    startup = [item for section in sections.get("StartupSection", []) for item in _startup(walk, section)]
    return VirtualSystemCollection(
        id=walk.identity(element, "collection"),
        name=walk.text(element, "Name"),
        info=walk.text(element, "Info"),
        annotation=_texts(walk, sections, "AnnotationSection", "Annotation"),
        products=_each(walk, sections, "ProductSection", _product),
        eulas=tuple(walk.text(section, "License", LONGEST_PROSE) for section in sections.get("EulaSection", [])),
        startup=tuple(startup),
        content=tuple(read_content(walk, part, depth + 1) for part in parts),
        template=read_template(element),
    )


def _sections(walk: Walk, parent: Element, names: frozenset[str]) -> dict[str, list[Element]]:
    sections: dict[str, list[Element]] = {}
    for name, element in walk.standard_children(parent, names, frozenset({TEMPLATE, AROUND})):
        if name in NEEDLESS:
            walk.ignored.append(f"{name} of {where(parent)}")
        sections.setdefault(name, []).append(element)
    return sections


def _each(
    walk: Walk, by_name: dict[str, list[Element]], name: str, read: Callable[[Walk, Element], T]
) -> tuple[T, ...]:
    return tuple(read(walk, section) for section in by_name.get(name, []))


def _texts(walk: Walk, by_name: dict[str, list[Element]], section: str, name: str) -> str:
    texts = (walk.text(element, name, LONGEST_PROSE) for element in by_name.get(section, []))
    return "\n\n".join(text for text in texts if text)


def _operating_system(walk: Walk, section: Element) -> OperatingSystem:
    children = dict(walk.standard_children(section, frozenset({"Info", "Description"})))
    description = text_of(children.get("Description"))
    return OperatingSystem(_type_of_system(walk, section), attribute(section, "version") or "", description)


def _type_of_system(walk: Walk, section: Element) -> int:
    """Return the value of CIM_OperatingSystem.OsType, 0 (unknown) for what is none: some products write "-100"."""
    number = attribute(section, "id") or "0"
    if number.isascii() and number.isdecimal() and len(number) < 10:
        return int(number)
    walk.ignored.append(f"id {number[:20]!r} of {local(section)}, which is no number")
    return 0


def _startup(walk: Walk, section: Element) -> Iterable[StartupItem]:
    for name, element in walk.standard_children(section, frozenset({"Info", "Item"})):
        if name == "Item":
            yield StartupItem(
                id=demanded(element, "id"),
                order=whole(element, "order") or 0,
                start_delay=whole(element, "startDelay") or 0,
                waiting_for_guest=truth(attribute(element, "waitingForGuest"), False),
                start_action=attribute(element, "startAction") or "powerOn",
                stop_delay=whole(element, "stopDelay") or 0,
                stop_action=attribute(element, "stopAction") or "powerOff",
            )


def _product(walk: Walk, section: Element) -> Product:
    children = list(walk.standard_children(section, PRODUCT))
    return Product(
        class_=attribute(section, "class") or "",
        instance=attribute(section, "instance") or "",
        product=walk.text(section, "Product"),
        vendor=walk.text(section, "Vendor"),
        version=walk.text(section, "Version"),
        properties=tuple(_property(walk, element) for name, element in children if name == "Property"),
    )


def _property(walk: Walk, element: Element) -> Property:
    children = list(walk.standard_children(element, frozenset({"Label", "Description", "Value"})))
    values = {
        attribute(value, "configuration") or "": attribute(value, "value") or ""
        for name, value in children
        if name == "Value"
    }
    return Property(
        key=demanded(element, "key"),
        type=(attribute(element, "type") or "string").lower(),
        qualifiers=attribute(element, "qualifiers") or "",
        value=values.pop("", "") or attribute(element, "value") or "",
        values=values,
        user_configurable=truth(attribute(element, "userConfigurable"), False),
        password=truth(attribute(element, "password"), False),
        label=walk.text(element, "Label"),
        description=walk.text(element, "Description"),
    )
