"""A collection of one virtual system, written as that system alone, since many programs read nothing else.

What the collection says stands in a section of our own inside of the system, which others pass over (clause 7.3).
"""

from __future__ import annotations

from lxml import etree

from gateway.ovf.elements import Element, local, where
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import COLLECTION_SECTION, ENVELOPE, EXTENSION

AROUND = f"{{{EXTENSION}}}{COLLECTION_SECTION}"
TOLD = "The collection that this virtual system is alone in"


def section_around(system: Element) -> Element:
    """Add a section to the system, into which the collection is to be written, and return it."""
    section = etree.SubElement(system, AROUND, {f"{{{ENVELOPE}}}required": "false"})
    etree.SubElement(section, f"{{{ENVELOPE}}}Info").text = TOLD
    return section


def collection_around(system: Element) -> Element | None:
    """Return the collection's element; None without the section. Raises PackageInvalid for more or other ones."""
    sections = system.findall(AROUND)
    elements = [element for section in sections for element in section if local(element) != "Info"]
    if not sections:
        return None
    if [local(element) for element in elements] != ["VirtualSystemCollection"]:
        raise PackageInvalid(f"the {COLLECTION_SECTION} of {where(system)} has to hold one VirtualSystemCollection")
    if any(local(part) in ("VirtualSystem", "VirtualSystemCollection") for part in elements[0]):
        raise PackageInvalid(f"the {COLLECTION_SECTION} of {where(system)} holds other systems than this one")
    return elements[0]
