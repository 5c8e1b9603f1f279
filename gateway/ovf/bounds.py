"""Limits of what a descriptor may hold, so that whatever is made of it is made in short time.

The bounds are far above what is in use: packages of hundreds of systems have some thousand elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from lxml import etree

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Content, Envelope, Product, VirtualSystemCollection

LONGEST_NAME = 255
"""Characters of an element's name, its namespace included."""
LONGEST_ATTRIBUTE = 65_536
MOST_ATTRIBUTES = 64
"""XML attributes of one element."""
MOST_NETWORKS = 1000
MOST_CONFIGURATIONS = 200
MOST_PROPERTIES = 20_000
MOST_STARTUP_ITEMS = 1000
"""Items of StartupSections in the whole package; all of these limits are of the whole package."""
MOST_VALUES = 100_000
"""Properties that guests are told, those of the collection around them counted for each guest (clause 10.2)."""
MOST_NAME_CHARACTERS = 4 * 1024**2
"""Characters of the names of all properties, in each of which the class and the instance of its section stand."""
MOST_TOLD = 16 * 1024**2
"""Bytes of what all guests of a package are told together, their neighbours' values counted for each of them."""
MOST_IGNORED = 1000


def demand_bounded(root: etree._Element) -> etree._Element:
    """Return the root. Raises PackageInvalid where an element has more, or longer, attributes than any has."""
    for element in root.iter():
        if len(str(element.tag)) > LONGEST_NAME:
            raise PackageInvalid(f"the descriptor has an element name of more than {LONGEST_NAME} characters")
        if len(element.attrib) > MOST_ATTRIBUTES:
            raise PackageInvalid(f"an element of the descriptor has more than {MOST_ATTRIBUTES} attributes")
        if any(len(value) > LONGEST_ATTRIBUTE for value in element.attrib.values()):
            raise PackageInvalid(f"an attribute in the descriptor is longer than {LONGEST_ATTRIBUTE} characters")
    return root


def bounded(envelope: Envelope) -> Envelope:
    """Return the envelope with as much of what is left out as people read. Raises PackageInvalid for too much."""
    contents = list(_contents(envelope.content))
    products = [product for content in contents for product in content.products]
    properties = sum(len(product.properties) for product in products)
    collections = [content for content in contents if isinstance(content, VirtualSystemCollection)]
    for what, number, most in (
        ("networks", len(envelope.networks), MOST_NETWORKS),
        ("configurations", len(envelope.configurations), MOST_CONFIGURATIONS),
        ("properties", properties, MOST_PROPERTIES),
        ("characters in names of properties", sum(map(_name_characters, products)), MOST_NAME_CHARACTERS),
        ("properties for its guests", _values(envelope.content, 0), MOST_VALUES),
        ("startup items", sum(len(collection.startup) for collection in collections), MOST_STARTUP_ITEMS),
    ):
        if number > most:
            raise PackageInvalid(f"the package has {number} {what}; at most {most} can be imported")
    return replace(envelope, ignored=_cut(envelope.ignored), unsupported=_cut(envelope.unsupported))


def _cut(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the first of these, and how many more there are."""
    more = len(parts) - MOST_IGNORED
    return (*parts[:MOST_IGNORED], f"{more} more") if more > 0 else parts


def _name_characters(product: Product) -> int:
    around = len(product.name_of(""))
    return sum(around + len(declared.key) for declared in product.properties)


def _values(content: Content, around: int) -> int:
    """Return how many properties the guests are told, of whom each knows ``around`` from outside."""
    own = sum(len(product.properties) for product in content.products)
    if isinstance(content, VirtualSystemCollection):
        return sum(_values(part, own) for part in content.content)
    return own + around


def _contents(content: Content) -> Iterator[Content]:
    yield content
    if isinstance(content, VirtualSystemCollection):
        for part in content.content:
            yield from _contents(part)
