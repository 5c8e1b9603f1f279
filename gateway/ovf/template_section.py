"""A section of our own in virtual systems and their collections: a CIMI template, which others pass over (clause 7.3).

What stands in it is the affair of whoever reads it; here it is a text of XML.
"""

from __future__ import annotations

import copy

from lxml import etree

from gateway.ovf.elements import Element, local, where
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import ENVELOPE, EXTENSION, TEMPLATE_SECTION

TEMPLATE = f"{{{EXTENSION}}}{TEMPLATE_SECTION}"
INFO = f"{{{ENVELOPE}}}Info"
TOLD = "What OVF has no words for, as a template of CIMI (DSP0263)"


def read_template(parent: Element) -> str:
    """Return the template of this virtual system or collection; '' without one. Raises PackageInvalid."""
    sections = parent.findall(TEMPLATE)
    if not sections:
        return ""
    if len(sections) > 1:
        raise PackageInvalid(f"{where(parent)} has {len(sections)} elements {TEMPLATE_SECTION}; at most one is right")
    roots = [element for element in sections[0] if local(element) != "Info"]
    if len(roots) != 1:
        raise PackageInvalid(
            f"the {TEMPLATE_SECTION} of {where(parent)} has {len(roots)} elements; one template belongs there"
        )
    root = copy.deepcopy(roots[0])
    _without_blanks(root)
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="unicode", with_tail=False)


def _without_blanks(root: Element) -> None:
    """Remove the blanks between elements: whoever wrote the descriptor may have indented it."""
    for element in root.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None


def write_template(parent: Element, template: str) -> None:
    """Add the section with a template, which is XML, to its parent; nothing is added for ''."""
    if not template:
        return
    section = etree.SubElement(parent, TEMPLATE, {f"{{{ENVELOPE}}}required": "false"})
    etree.SubElement(section, INFO).text = TOLD
    section.append(etree.fromstring(template))
