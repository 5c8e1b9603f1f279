"""Every route of the gateway, as its description lists them, with what must be granted to ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.cimi.dialects import CIMI_1
from gateway.cimi.registry import acting_collection_at, collection_at, type_at
from gateway.cimi.resource_type import ResourceType
from gateway.http import event_stream
from gateway.http.description import described

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
VERBS = {"GET": "read", "HEAD": "read", "PUT": "edit", "DELETE": "delete"}
EXTENSIONS = {"eventStream": "Event", "openapi": "CloudEntryPoint"}
"""Documents that are no resources, and the types whose readers may read them."""
PUBLIC = ("/", "/health", "/health/ready")


@dataclass(frozen=True)
class Route:
    """``path`` has the kinds of resources in braces where their ids stand."""

    path: str
    methods: frozenset[str]
    """As described; HEAD goes with GET, but for live streams."""

    @property
    def below(self) -> str:
        """The path below the entry point."""
        return self.path.removeprefix(CIMI_1.root.rstrip("/")).strip("/") or "cloudEntryPoint"

    @property
    def collection(self) -> ResourceType | None:
        return collection_at(self.below)

    @property
    def item(self) -> ResourceType | None:
        return type_at(self.below)

    @property
    def acting(self) -> ResourceType | None:
        """The type of a collection's items, where the path is that of an action on the collection."""
        found = acting_collection_at(self.below)
        return found[0] if found else None

    @property
    def action(self) -> str:
        """The verb, where the path is an action's."""
        return "" if self.collection or self.item else self.below.rpartition("/")[2]

    @property
    def named(self) -> str | None:
        """The kind of the last resource whose id stands in the path."""
        kinds = [part[1:-1] for part in self.below.split("/") if part.startswith("{")]
        return kinds[-1] if kinds else None

    @property
    def acts(self) -> list[str]:
        """Actions that may be asked for at the item itself."""
        return [action.verb for action in self.item.actions if not action.of_bytes] if self.item else []

    def needs(self, method: str) -> tuple[str, str]:
        """The kind and the operation on it that must be granted."""
        if self.below in EXTENSIONS:
            return EXTENSIONS[self.below], "read"
        if self.collection is not None:
            return self.collection.kind, "add" if method == "POST" else "read"
        if self.item is not None:
            return self.item.kind, self.acts[0] if method == "POST" else VERBS[method]
        if self.acting is not None:
            return self.acting.kind, self.action
        assert self.named is not None, self.path
        return self.named, self.action

    def filled(self, path: str | None) -> str:
        """The URL's path, where the named resource is the one at ``path``."""
        known = (path or "").split("/")
        parts = [known[place] if part.startswith("{") else part for place, part in enumerate(self.below.split("/"))]
        return CIMI_1.root + "/".join(parts) if self.named else self.path


def routes() -> Iterator[Route]:
    for path, item in described(CIMI_1)["paths"].items():
        methods = {name.upper() for name in item if name != "parameters"}
        live = path == CIMI_1.root + event_stream.PATH
        yield Route(path, frozenset(methods | ({"HEAD"} if "GET" in methods and not live else set())))


ROUTES = tuple(routes())
OF_RESOURCES = tuple(route for route in ROUTES if route.path.startswith(CIMI_1.root.rstrip("/")))
