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
    """Return the root of a harmless XML text. Raises PackageInvalid for any other text."""
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
    """Return an element's name without its namespace."""
    return etree.QName(element).localname


def attribute(element: Element, name: str) -> str | None:
    """Return an attribute's value without blanks around it; None when the element has no such attribute.

    Attributes have a namespace or, in careless packages, none.
    """
    for namespace in ENVELOPES:
        value = element.get(f"{{{namespace}}}{name}")
        if value is not None:
            return str(value).strip()
    plain = element.get(name)
    return None if plain is None else str(plain).strip()


def demanded(element: Element, name: str) -> str:
    """Return an attribute's value. Raises PackageInvalid when it is missing or empty."""
    value = attribute(element, name)
    if not value:
        raise PackageInvalid(f"{where(element)} has no {name}")
    return value


def truth(text: str | None, default: bool) -> bool:
    """Return whether a text means true; ``default`` for None."""
    return default if text is None else text.strip().lower() in ("true", "1")


def whole(element: Element, name: str) -> int | None:
    """Return an attribute that is a whole number; None when it is missing. Raises PackageInvalid for other texts."""
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
    """Return the words by which people find an element: its name and what identifies it."""
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

    def standard_children(
        self, parent: Element, names: frozenset[str], own: frozenset[str] = frozenset()
    ) -> Iterator[tuple[str, Element]]:
        """Yield the children that are the standard's and have one of these names.

        Children with a name in ``own`` are read elsewhere, and passed over; all others are put aside.
        """
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
        """Return the first child of this name; None when there is none."""
        return next((element for element in parent if local(element) == name), None)

    def text(self, parent: Element, name: str, longest: int = LONGEST) -> str:
        """Return the text of the first child of this name, '' when there is none.

        Raises PackageInvalid beyond ``longest`` characters.
        """
        return text_of(self.first(parent, name), longest)
