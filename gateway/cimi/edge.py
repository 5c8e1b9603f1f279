"""Between the program's documents and what the wire shows: URIs, id, resourceURI, operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from gateway.cimi.dialects import Dialect
from gateway.cimi.registry import canonical
from gateway.cimi.resource_type import ResourceType
from gateway.clock import timestamp

SYMBOL = "#"
"""What a reference begins with that names a component of the same SystemTemplate (DSP0263 5.13.3)."""
ENTRY_POINT = "cloudEntryPoint"
"""Path of the Cloud Entry Point, whose URI is the base itself."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The URIs as one request sees them. ``base`` is the URL of the Cloud Entry Point, ending in a slash."""

    base: str
    dialect: Dialect

    def to_uri(self, path: str) -> str:
        """Return the absolute URI of a path; ``@verb`` gives the action's URI, ``~word`` the word's.

        Foreign URIs stay, and so does ``#name``, which means a component described beside the reference.
        """
        if path.startswith("@"):
            return self.dialect.rel(path[1:])
        if path.startswith("~"):
            return self.dialect.type_uri(path[1:])
        if path.startswith(SYMBOL):
            return path
        if path == ENTRY_POINT:
            return self.base
        return path if "://" in path else self.base + path

    def to_path(self, uri: str) -> str:
        """Return the path that an absolute or relative URI means. Raises ValueError when it is not one of ours."""
        text = uri.strip()
        if text.startswith(SYMBOL):
            return text
        if text.startswith(self.base):
            text = text[len(self.base) :]
        elif "://" in text:
            text = self._same_entry_point(text)
        elif text.startswith("/"):
            text = self._below_root(text)
        path = unquote(text).rstrip("/") if text else ENTRY_POINT
        if not path or not uri.strip() or ".." in path.split("/") or len(path) > 1024 or "?" in path:
            raise ValueError(f"{uri[:200]!r} is no resource of this gateway")
        return canonical(path)

    def _same_entry_point(self, uri: str) -> str:
        """Return the path below the entry point of a URI with another scheme. Raises ValueError for another host."""
        ours, theirs = urlsplit(self.base), urlsplit(uri)
        if theirs.netloc != ours.netloc or not theirs.path.startswith(ours.path):
            raise ValueError(f"{uri[:200]!r} is not below {self.base}")
        return theirs.path[len(ours.path) :]

    def _below_root(self, path: str) -> str:
        root = urlsplit(self.base).path
        if not path.startswith(root):
            raise ValueError(f"{path[:200]!r} is not below {root}")
        return path[len(root) :]

    def operations(self, path: str, verbs: Iterable[str]) -> list[dict[str, str]]:
        """Return the rel and href of each verb.

        Its href is the resource itself for edit, delete and add; each action has a URI of its own.
        """
        target = self.base + path
        return [
            {
                "rel": self.dialect.rel(verb),
                "href": target if verb in ("add", "edit", "delete") else f"{target}/{verb}",
            }
            for verb in verbs
        ]

    def resource(
        self,
        described: ResourceType,
        path: str,
        document: dict[str, Any],
        times: tuple[datetime, datetime] | None,
        verbs: Iterable[str],
    ) -> dict[str, Any]:
        """Return the resource as the wire shows it, in JSON's vocabulary and the standard's order.

        ``times`` are those of its creation and of its last change; None for a type that shows neither.
        """
        wire: dict[str, Any] = {
            "resourceURI": self.dialect.type_uri(described.kind),
            "id": self.base if described.singleton else self.base + path,
        }
        values = self._values(described, path, document, times)
        for name in described.attributes:
            if name in values:
                wire[name] = values[name]
        listed = self.operations("" if described.singleton else path, verbs)
        if listed:
            wire["operations"] = listed
        return wire

    def _values(
        self,
        described: ResourceType,
        path: str,
        document: dict[str, Any],
        times: tuple[datetime, datetime] | None,
    ) -> dict[str, Any]:
        attributes = described.attributes
        values: dict[str, Any] = {
            name: attributes[name].outward(value, self.to_uri)
            for name, value in document.items()
            if value not in ("", [], {}, None) and name in attributes and not attributes[name].write_only
        }
        prefix = "" if described.singleton else f"{path}/"
        for name, segment in described.collections.items():
            values[name] = {"href": f"{self.base}{prefix}{segment}"}
        if times is not None:
            values["created"], values["updated"] = map(timestamp, times)
        return values

    def collection(
        self,
        described: ResourceType,
        path: str,
        items: list[dict[str, Any]],
        count: int,
        verbs: Iterable[str],
    ) -> dict[str, Any]:
        """Return the collection as the wire shows it: ``count`` is of all items, not of those shown."""
        wire: dict[str, Any] = {
            "resourceURI": self.dialect.type_uri(described.kind + "Collection"),
            "id": self.base + path,
            "count": count,
        }
        if items:
            wire[described.items_key] = items
        listed = self.operations(path, verbs)
        if listed:
            wire["operations"] = listed
        return wire


ToPath = Callable[[str], str]
