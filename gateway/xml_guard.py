"""A look at XML that others wrote, before anything else reads it: no document types, no absurd depth or size."""

from __future__ import annotations

from xml.parsers import expat

from gateway.errors import Invalid


class _Guard:
    """A counter of depth and elements, which refuses every document type declaration, and with it entities."""

    def __init__(self, deepest: int, most_elements: int, most_attributes: int | None) -> None:
        self._deepest = deepest
        self._most = most_elements
        self._most_attributes = most_attributes
        self._depth = 0
        self._elements = 0
        self._attributes = 0

    def start(self, _name: str, attributes: list[str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > self._deepest:
            raise Invalid(f"the XML is nested deeper than {self._deepest} levels")
        if self._elements > self._most:
            raise Invalid(f"the XML has more than {self._most} elements")
        self._attributes += len(attributes) // 2
        if self._most_attributes is not None and self._attributes > self._most_attributes:
            raise Invalid(f"the XML has more than {self._most_attributes} XML attributes")

    def end(self, _name: str) -> None:
        self._depth -= 1

    def doctype(self, *_parts: object) -> None:
        raise Invalid("document type declarations and entities are refused")


def demand_harmless(body: bytes, deepest: int, most_elements: int, most_attributes: int | None = None) -> None:
    """Raise Invalid for XML that is malformed, too deep or too large, or has a document type."""
    guard = _Guard(deepest, most_elements, most_attributes)
    parser = expat.ParserCreate()
    parser.ordered_attributes = True
    parser.StartElementHandler = guard.start
    parser.EndElementHandler = guard.end
    parser.StartDoctypeDeclHandler = guard.doctype
    parser.EntityDeclHandler = guard.doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise malformed(error) from None
    except (ValueError, LookupError) as error:
        raise Invalid(f"malformed XML: {str(error)[:200]}") from None


def malformed(error: expat.ExpatError) -> Invalid:
    """Return the Invalid for an error of the parser, with its place."""
    where = f"line {error.lineno}, column {error.offset + 1}"
    return Invalid(f"malformed XML: {expat.ErrorString(error.code)} at {where}")
