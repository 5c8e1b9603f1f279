"""CIMI's attribute types as marshmallow fields that also know XML (DSP0263 4.2, 4.3, 5.5).

A field reads a raw value (from JSON, or from XML turned into the same shape) into the program's vocabulary, turns
references between absolute URIs and paths, and writes itself as XML. The vocabulary is JSON's own, so writing JSON
needs nothing more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from marshmallow import ValidationError, fields

from gateway.cimi.bounds import LONGEST_NAME, LONGEST_TEXT
from gateway.cimi.dialects import EXTENSION_NAMESPACE, bare_term, verb_of
from gateway.cimi.filter import AttributeType, parse_date
from gateway.cimi.referring import referred, referred_in_xml
from gateway.cimi.xml_text import attribute_text, element_text
from gateway.clock import timestamp

LARGEST = 2**63 - 1
MOST_PROPERTIES = 256
Inward = Callable[[str], str]
Outward = Callable[[str], str]


if TYPE_CHECKING:
    _Field = fields.Field[Any]
else:
    # In marshmallow 3, which Debian 13 has, it takes no parameter.
    _Field = fields.Field


class Attribute(_Field):
    """An attribute with the standard's constraints.

    ``writable``: consumers may set it after creation. ``at_create``: only when creating. ``write_only``: never
    shown. ``item``: the XML element of each entry of an array. ``xml_attribute``/``xml_text``: how a structure
    writes this member. ``extension``: a provider's own attribute, outside the standard's namespace. ``in_xml`` False:
    JSON alone has it, since XML says the same elsewhere.
    """

    type: ClassVar[AttributeType] = AttributeType.UNKNOWN
    repeated: ClassVar[bool] = False
    listed = False
    """Whether it is the entry of an Array."""

    def __init__(
        self,
        *,
        mandatory: bool = False,
        writable: bool = True,
        at_create: bool = False,
        write_only: bool = False,
        item: str | None = None,
        xml_attribute: bool = False,
        xml_text: bool = False,
        extension: bool = False,
        in_xml: bool = True,
        aliases: tuple[str, ...] = (),
        meaning: str = "",
    ) -> None:
        super().__init__(allow_none=True, required=mandatory)
        self.mandatory = mandatory
        self.writable = writable
        self.at_create = at_create
        self.write_only = write_only
        self.item = item
        self.xml_attribute = xml_attribute
        self.xml_text = xml_text
        self.extension = extension
        self.in_xml = in_xml
        self.aliases = aliases
        self.meaning = meaning

    @property
    def element(self) -> str:
        """Return the XML element's local name."""
        return self.item or str(self.name)

    @property
    def opening(self) -> str:
        """Return what stands first in the start tag: the name, and the namespace of what is not the standard's."""
        return f'{self.element} xmlns="{EXTENSION_NAMESPACE}"' if self.extension else self.element

    @property
    def empty(self) -> Any:
        """Return what an empty XML element, and an empty string in JSON, say: absence (DSP0263 4.2.1)."""
        return None

    def inward(self, value: Any, _to_path: Inward) -> Any:
        """Return the value with paths for URIs. Raises ValueError for one that is not ours."""
        return value

    def outward(self, value: Any, _to_uri: Outward) -> Any:
        """Return the value with URIs for paths."""
        return value

    def from_xml(self, node: Any) -> Any:
        """Return the raw JSON-shaped value of an element; None for an empty one."""
        return text_of(node)

    def to_text(self, value: Any) -> str:
        """Return the value as text, not escaped yet."""
        return str(value)

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append the element of the value."""
        out.append(f"<{self.opening}>{element_text(self.to_text(value))}</{self.element}>")


def text_of(node: Any) -> str | None:
    """Return the text of an element. Raises ValidationError for one with children, or for several."""
    if isinstance(node, Mapping):
        if any(not key.startswith(("@", "#")) for key in node):
            raise ValidationError("has child elements where text belongs")
        node = node.get("#text")
    if isinstance(node, list):
        raise ValidationError("stands more than once")
    return node if node is None else str(node)


class String(Attribute):
    """Text of at most ``most_characters``."""

    type = AttributeType.STRING

    def __init__(self, *, most_characters: int = LONGEST_TEXT, **constraints: Any) -> None:
        super().__init__(**constraints)
        self.most_characters = most_characters

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise ValidationError("must be a string")
        if len(value) > self.most_characters:
            raise ValidationError(f"has {len(value)} characters; at most {self.most_characters} are allowed")
        return value


class Enumeration(String):
    """A word of the standard's; compared without regard to case, kept in the standard's spelling."""

    def __init__(self, *values: str, **constraints: Any) -> None:
        super().__init__(**constraints)
        self.values = values

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data).strip()
        for word in self.values:
            if word.casefold() == text.casefold():
                return word
        raise ValidationError(f"must be one of {', '.join(self.values)}, not {text[:60]!r}")


class Integer(Attribute):
    """An xs:long; numeric strings are accepted, as old clients send them."""

    type = AttributeType.INTEGER

    def __init__(self, *, minimum: int = 0, **constraints: Any) -> None:
        super().__init__(**constraints)
        self.minimum = minimum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        number = _integer(value)
        if number is None:
            raise ValidationError(f"must be an integer, not {str(value)[:60]!r}")
        if not self.minimum <= number <= LARGEST:
            raise ValidationError(f"must be between {self.minimum} and {LARGEST}, not {str(number)[:30]}")
        return number


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,25}\s*", value):
        return int(value)
    return None


class Boolean(Attribute):
    """An xs:boolean; its words are accepted as strings, too."""

    type = AttributeType.BOOLEAN

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip() in ("true", "false"):
            return value.strip() == "true"
        raise ValidationError(f"must be true or false, not {str(value)[:60]!r}")

    def to_text(self, value: Any) -> str:
        """Return the word of XML."""
        return "true" if value else "false"


class DateTime(Attribute):
    """An xs:dateTime, kept in UTC."""

    type = AttributeType.DATE

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        try:
            return timestamp(parse_date(str(value).strip()))
        except ValueError as error:
            raise ValidationError(str(error)) from None


class URI(String):
    """A URI of any scheme."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text: str = super()._deserialize(value, attr, data).strip()
        if len(text) > 4096 or re.search(r"[\s<>\"\\^`{|}]", text):
            raise ValidationError("must be a URI of at most 4096 characters, without blanks")
        return text


class Term(URI):
    """A word of the standard's as URI, kept bare (``mapped``), or a provider's own URI, kept whole.

    ``vocabulary`` is the URI's part before the word: ``event/``.
    """

    type = AttributeType.TERM

    def __init__(self, vocabulary: str = "", **constraints: Any) -> None:
        super().__init__(**constraints)
        self.vocabulary = vocabulary

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return bare_term(super()._deserialize(value, attr, data))

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the word's URI."""
        return value if "://" in value else to_uri(f"~{self.vocabulary}{value}")


class Location(URI):
    """A URI that may name one of our own resources: kept as a path then, and shown as a URI.

    Old clients send a reference instead.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, dict):
            value = referred(value)
        return super()._deserialize(value, attr, data)

    def from_xml(self, node: Any) -> Any:
        """Return the URI in an element's text, or of the reference that it holds."""
        named = referred_in_xml(node) if isinstance(node, Mapping) else None
        return super().from_xml(node) if named is None else named

    def inward(self, value: Any, to_path: Inward) -> Any:
        """Return the path of a resource of ours; every other URI as it is."""
        try:
            return to_path(value) if value.startswith(("http://", "https://")) else value
        except ValueError:
            return value

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the URI of a path; a file's name as it is."""
        return value if value.startswith(("/", "file:")) else to_uri(value)


class Verb(String):
    """The kind of a Job's action: kept as the bare verb, shown as the action's URI."""

    type = AttributeType.ACTION

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return verb_of(super()._deserialize(value, attr, data))

    def outward(self, value: Any, to_uri: Outward) -> Any:
        """Return the action's URI."""
        return to_uri("@" + value)


class IntervalDuration(String):
    """An interval of the standard's five, by its word or as a duration; kept as a duration (DSP0263 5.18)."""

    type = AttributeType.DURATION
    SPELLINGS: ClassVar[dict[str, tuple[str, ...]]] = {
        "PT1H": ("hourly", "pt60m", "pt3600s"),
        "P1D": ("daily", "pt24h"),
        "P7D": ("weekly", "p1w"),
        "P1M": ("monthly",),
        "P1Y": ("yearly", "p12m"),
    }

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data).strip()
        for duration, others in self.SPELLINGS.items():
            if text.casefold() in (duration.casefold(), *others):
                return duration
        words = ", ".join(others[0] for others in self.SPELLINGS.values())
        raise ValidationError(f"must be one of {words}, or {', '.join(self.SPELLINGS)}, not {text[:60]!r}")


class Anything(Attribute):
    """A value of any scalar type, such as a capability's."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        return value

    def to_text(self, value: Any) -> str:
        """Return the value as XML says it."""
        return ("true" if value else "false") if isinstance(value, bool) else str(value)


class Map(Attribute):
    """The consumer's own ``properties``: string to string.

    XML 1.x writes one ``<property key="k">v</property>`` an entry.
    """

    def __init__(self, **constraints: Any) -> None:
        super().__init__(item="property", **constraints)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError("must be a map of names to strings")
        if len(value) > MOST_PROPERTIES:
            raise ValidationError(f"has {len(value)} entries; at most {MOST_PROPERTIES} are allowed")
        for key, entry in value.items():
            if not key:
                raise ValidationError("has an empty name")
            if len(key) > LONGEST_NAME:
                raise ValidationError(f"the name {key[:60]!r}... has more than {LONGEST_NAME} characters")
            if not isinstance(entry, str):
                raise ValidationError(f"the value of {key[:60]!r} must be a string")
            if len(entry) > LONGEST_TEXT:
                raise ValidationError(f"the value of {key[:60]!r} has more than {LONGEST_TEXT} characters")
        return dict(value)

    def from_xml(self, node: Any) -> Any:
        """Return the map of the entries' elements; None when there are none. Raises ValidationError for a bad key."""
        if node is None:
            return None
        entries: dict[str, Any] = {}
        for entry in node if isinstance(node, list) else [node]:
            if not isinstance(entry, dict) or ("@key" not in entry and "@name" not in entry):
                raise ValidationError("each property needs a key")
            key = str(entry.get("@key", entry.get("@name")))
            if key in entries:
                raise ValidationError(f"the key {key[:60]!r} stands twice")
            entries[key] = text_of(entry) or ""
        return entries

    def to_xml(self, value: Any, out: list[str]) -> None:
        """Append an element for each entry."""
        for key, entry in value.items():
            out.append(f'<property key="{attribute_text(key)}">{element_text(entry)}</property>')
