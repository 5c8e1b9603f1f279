"""Resources as they were read: a document with names for what every CIMI resource has (DSP0263 4.2, 5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urljoin

from cimi_client.json_types import Document, Json, documents, text
from cimi_client.vocabulary import items_key, kind_of, verb_of

LINKS = frozenset({"href", "id"})
STREAMS = frozenset({"eventStream", "openapi"})
"""Attributes of a Cloud Entry Point that are URLs and no references."""
TRANSIENT = frozenset(
    {"CREATING", "STARTING", "STOPPING", "PAUSING", "SUSPENDING", "CAPTURING", "RESTORING", "DELETING"}
)
"""States that something leaves by itself."""


@dataclass(frozen=True)
class Resource:
    """A resource as it was when it was read. ``etag`` is None where the provider gives none."""

    document: Document
    etag: str | None = field(default=None, compare=False)

    @property
    def id(self) -> str:
        """The absolute URL of the resource; empty for what is no resource of its own."""
        return self.text("id") or self.text("href")

    @property
    def key(self) -> str:
        """The last part of the id, by which people tell resources of a kind apart."""
        return kind_of(self.id)

    @property
    def kind(self) -> str:
        """The type, such as ``Machine`` or ``MachineCollection``; empty where the provider does not say."""
        return kind_of(self.text("resourceURI"))

    @property
    def name(self) -> str:
        """The name that people gave it; empty without one."""
        return self.text("name")

    @property
    def state(self) -> str:
        """The state; empty for a type that has none."""
        return self.text("state")

    @property
    def in_transit(self) -> bool:
        """Whether the state is one that the resource leaves by itself."""
        return self.state.upper() in TRANSIENT

    @property
    def properties(self) -> Mapping[str, str]:
        """The consumer's own keys and values."""
        value = self.document.get("properties")
        return {key: text(entry) for key, entry in value.items()} if isinstance(value, Mapping) else {}

    @cached_property
    def operations(self) -> Mapping[str, str]:
        """Verb to URL of each operation that is possible now."""
        entries = documents(self.document.get("operations"))
        offered = [entry for entry in entries if entry.get("available", True) is not False]
        return {verb_of(text(entry.get("rel"))): text(entry.get("href")) for entry in offered}

    def rel(self, verb: str) -> str:
        """Return the provider's own spelling of an operation; empty where it is not offered."""
        rels = [text(entry.get("rel")) for entry in documents(self.document.get("operations"))]
        return next((rel for rel in rels if verb_of(rel) == verb), "")

    def text(self, attribute: str) -> str:
        """Return an attribute as text; empty without it, and for what is no text."""
        return text(self.document.get(attribute))

    def number(self, attribute: str) -> int | None:
        """Return an attribute as an integer; None without it. Some providers send numbers as text."""
        value = text(self.document.get(attribute)).strip()
        return int(value) if value.removeprefix("-").isdecimal() else None

    def href(self, attribute: str) -> str | None:
        """Return the URL that a reference leads to; None without it."""
        value = self.document.get(attribute)
        if isinstance(value, Mapping):
            return text(value.get("href")) or text(value.get("id")) or None
        return None

    def part(self, attribute: str) -> Resource:
        """Return what stands in an attribute, such as an expanded reference; an empty one without it."""
        value = self.document.get(attribute)
        return Resource(value if isinstance(value, Mapping) else {})

    def parts(self, attribute: str) -> list[Resource]:
        """Return what stands in an array."""
        return [Resource(entry) for entry in documents(self.document.get(attribute))]

    @cached_property
    def items(self) -> tuple[Resource, ...]:
        """The items of a collection, by the standard's name for them, or whatever the provider calls them."""
        key = items_key(self.kind.removesuffix("Collection"))
        if key in self.document:
            return tuple(self.parts(key))
        lists = [name for name, value in self.document.items() if name != "operations" and documents(value)]
        return tuple(self.parts(lists[0])) if lists else ()

    @property
    def item_kind(self) -> str:
        """The type of a collection's items; empty where the provider does not say."""
        return self.kind.removesuffix("Collection")


def absolute(document: Document, base: str) -> dict[str, Json]:
    """Return a document whose links are absolute, resolved against the Cloud Entry Point's ``baseURI``."""
    return dict(_absolute_members(document, base))


def _absolute_members(document: Document, base: str) -> Iterator[tuple[str, Json]]:
    for name, value in document.items():
        if isinstance(value, str):
            yield name, urljoin(base, value) if (name in LINKS or name in STREAMS) and value else value
        elif isinstance(value, Mapping):
            yield name, value if name == "properties" else absolute(value, base)
        elif isinstance(value, list):
            yield name, [absolute(entry, base) if isinstance(entry, Mapping) else entry for entry in value]
        else:
            yield name, value
