"""Walking a descriptor's elements: names without namespaces, extensions obeyed or put aside, limits kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from gateway.errors import Invalid
from gateway.ovf.bounds import demand_bounded
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import ENVELOPES, SETTINGS
from gateway.xml_guard import demand_harmless

LARGEST = 8 * 1024**2
"""Bytes of a descriptor."""
DEEPEST = 48
MOST_ELEMENTS = 100_000
LONGEST = 65_536
"""Characters of a text."""
LONGEST_PROSE = 1_048_576
"""Characters of a licence or an annotation: licences of about 100,000 are in use."""

Element = etree._Element


def root_of(content: bytes) -> Element:
    """The root of a harmless XML text. Raises PackageInvalid."""
    if len(content) > LARGEST:
        raise PackageInvalid(f"the descriptor has more than {LARGEST} bytes")
    try:
        demand_harmless(content, DEEPEST, MOST_ELEMENTS)
        parser = etree.XMLParser(
            resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True, remove_pis=True
        )
        return demand_bounded(etree.fromstring(content, parser))
    except Invalid as error:
        raise PackageInvalid(f"the descriptor: {error.message}") from None
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PackageInvalid(f"the descriptor is malformed XML: {str(error)[:200]}") from None


def local(element: Element) -> str:
    return etree.QName(element).localname


def attribute(element: Element, name: str) -> str | None:
    """Attributes have a namespace or, in careless packages, none."""
    for namespace in ENVELOPES:
        found = element.get(f"{{{namespace}}}{name}")
        if found is not None:
            return str(found).strip()
    plain = element.get(name)
    return None if plain is None else str(plain).strip()


def demanded(element: Element, name: str) -> str:
    found = attribute(element, name)
    if not found:
        raise PackageInvalid(f"{where(element)} has no {name}")
    return found


def truth(text: str | None, default: bool) -> bool:
    return default if text is None else text.strip().lower() in ("true", "1")


def whole(element: Element, name: str) -> int | None:
    """An attribute that is a whole number."""
    text = attribute(element, name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,19}", text):
        raise PackageInvalid(f"{where(element)}: {name} {text[:40]!r} is no whole number")
    return int(text)


def text_of(element: Element | None, longest: int = LONGEST) -> str:
    """Return all text inside, without blanks around it. Raises PackageInvalid beyond ``longest`` characters."""
    text = "" if element is None else "".join(str(part) for part in element.itertext()).strip()
    if len(text) > longest:
        raise PackageInvalid(f"a text in {where(element)} is longer than {longest} characters")
    return text


def where(element: Element | None) -> str:
    """The element for people: its name and what identifies it."""
    if element is None:
        return "the descriptor"
    for name in ("id", "diskId", "name", "key"):
        value = attribute(element, name)
        if value:
            return f"{local(element)} {value[:60]!r}"
    return local(element)


class Walk:
    """A reading of children by name, which remembers what it passed over: optional parts, and required ones.

    Required parts that are not known here make the package invalid (clause 7.3), unless an importer is lax.
    """

    def __init__(self) -> None:
        self.ignored: list[str] = []
        self.unsupported: list[str] = []
        self._nameless = 0

    def known(
        self, parent: Element, names: frozenset[str], own: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, Element]]:
        """Children that are the standard's and have one of these names. ``own`` are read elsewhere, and passed over."""
        for element in parent:
            name = local(element)
            if etree.QName(element).namespace in ENVELOPES and name in names:
                yield name, element
            elif etree.QName(element).namespace not in SETTINGS and element.tag not in own:
                self.put_aside(element)

    def put_aside(self, element: Element) -> None:
        """Remember an element that is not known here, by whether the package can do without it."""
        required = truth(attribute(element, "required"), True)
        (self.unsupported if required else self.ignored).append(f"{local(element)} in {where(element.getparent())}")

    def identity(self, element: Element, otherwise: str) -> str:
        """Return the id of a content; where a producer left it out, its name, else ``otherwise`` with a number."""
        identity = attribute(element, "id") or attribute(element, "name")
        if identity:
            return identity
        self._nameless += 1
        return otherwise if self._nameless == 1 else f"{otherwise} {self._nameless}"

    def first(self, parent: Element, name: str) -> Element | None:
        return next((element for element in parent if local(element) == name), None)

    def text(self, parent: Element, name: str, longest: int = LONGEST) -> str:
        return text_of(self.first(parent, name), longest)
