"""Resources and collections as bytes: selected, expanded, encoded; the plain ones remembered."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from gateway.cimi.documents import write_collection, write_resource
from gateway.cimi.query import EVERYTHING, QueryOptions, select_collection, select_resource
from gateway.cimi.references import EXPANDED
from gateway.cimi.registry import CLOUD_ENTRY_POINT, collection_at, type_at, type_of
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_codec import children, collection_children
from gateway.errors import GatewayError
from gateway.http import description, event_stream
from gateway.http.context import Context
from gateway.http.effort import MUCH_BYTES, Effort
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Query, Resource, SortKey

MOST_ITEMS = 1000
"""Items of one page at most; ``count`` stays true, and clients page on."""
EXPANDED_ITEMS = 200
REMEMBERED = 2048
WRITERS = ThreadPoolExecutor(2, thread_name_prefix="answers")
"""Threads that encode long answers."""

Made = TypeVar("Made")
Shape = dict[str, Any]
"""A resource or a collection as it goes out, before it is encoded."""
Encoded = tuple[bytes, str]
"""Body and ETag."""


class Representations:
    """The encoder of resources and collections for a caller, which remembers the plain ones.

    ``old_names``: the items of some collections stand under the names of CIMI 1.0, too.
    """

    def __init__(self, services: Mapping[str, ResourceService], *, old_names: bool) -> None:
        self._services = services
        self._old_names = old_names
        self._remembered: OrderedDict[tuple[Any, ...], Encoded] = OrderedDict()

    # One resource

    async def resource(self, context: Context, resource: Resource, options: QueryOptions) -> Encoded:
        """Return a resource as a document, selected and expanded, and its tag."""
        declared = type_of(resource.kind)
        verbs = self._services[resource.kind].operations(context.caller, resource)
        plain = not options.expand and not self._services[resource.kind].computed
        key = (resource.path, resource.version, verbs, context.media, context.edge.base, options.select)
        if plain and key in self._remembered:
            return self._remembered[key]
        wire = self.wire(context, resource, verbs)
        if not plain:
            effort = Effort()
            await effort.spend(resource.size)
            await self._expand(context, declared, wire, options.expand, effort)
            selection = select_resource(wire, options.select)
            return await _encoded(effort, lambda: write_resource(declared, selection, context.media, context.edge))
        body = write_resource(declared, select_resource(wire, options.select), context.media, context.edge)
        encoded = (body, etag(body))
        self._remembered[key] = encoded
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return encoded

    def wire(self, context: Context, resource: Resource, verbs: tuple[str, ...] | None = None) -> Shape:
        """Return a resource as it goes out; ``verbs`` None: with all operations that the caller may do now."""
        declared = type_of(resource.kind)
        if verbs is None:
            verbs = self._services[resource.kind].operations(context.caller, resource)
        document = resource.document
        if declared is CLOUD_ENTRY_POINT:
            base = context.edge.base
            own = {"eventStream": base + event_stream.PATH, "openapi": base + description.PATH}
            document = {**document, "baseURI": base, **own}
        times = (resource.created, resource.updated) if "created" in declared.attributes else None
        return context.edge.resource(declared, resource.path, document, times, verbs)

    # A collection

    async def collection(self, context: Context, path: str, parent: Resource | None, options: QueryOptions) -> Encoded:
        """Return a page of a collection as a document, and its tag."""
        declared = collection_at(path)
        assert declared is not None
        effort = Effort()
        wire = await self._collection(context, path, parent, options, effort)
        selection = self._by_old_name(declared, select_collection(wire, declared.items_key, options, declared.old_key))
        return await _encoded(effort, lambda: write_collection(declared, selection, context.media, context.edge))

    def _by_old_name(self, declared: ResourceType, wire: Shape) -> Shape:
        """Return the collection with its items under the JSON name that clients of 1.0 look for, too."""
        if declared.old_key is None or not self._old_names or declared.items_key not in wire:
            return wire
        return {**wire, declared.old_key: wire[declared.items_key]}

    async def _collection(
        self, context: Context, path: str, parent: Resource | None, options: QueryOptions, effort: Effort
    ) -> Shape:
        """Return the page; it ends early, with at least one item, where the items come to too much."""
        declared = collection_at(path)
        assert declared is not None
        service = self._services[declared.kind]
        most = options.first + MOST_ITEMS - 1
        query = Query(
            kind=declared.kind,
            parent=parent.path if parent is not None else None,
            filters=options.filters,
            order=tuple(SortKey(name, descending) for name, descending in options.order),
            first=options.first,
            last=most if options.last is None else min(options.last, most),
            most_bytes=effort.left,
        )
        page = await service.list(context.caller, query)
        items: list[Shape] = []
        for item in page.items:
            items.append(self.wire(context, item))
            await effort.spend(item.size)
            await self._expand(context, declared, items[-1], options.expand, effort)
            if effort.full or (options.expand and effort.exhausted):
                break
        verbs = service.collection_operations(context.caller, parent)
        return context.edge.collection(declared, path, items, page.count, verbs)

    # Expanding

    async def _expand(
        self, context: Context, declared: ResourceType, wire: Shape, names: frozenset[str], effort: Effort
    ) -> None:
        """Put the targets of references inside them; what the caller may not see stays a bare reference."""
        wanted = declared.references if EVERYTHING in names else declared.references & names
        for name in wanted & wire.keys():
            value = wire[name]
            if isinstance(value, list):
                wire[name] = [await self._target(context, entry, effort) for entry in value]
            else:
                wire[name] = await self._target(context, value, effort)

    async def _target(self, context: Context, reference: Any, effort: Effort) -> Any:
        if not isinstance(reference, dict) or "href" not in reference or effort.exhausted:
            return reference
        await effort.spend()
        before = effort.left
        try:
            path = context.edge.to_path(reference["href"])
            target, declared, listed = await self._read(context, path, effort)
        except (GatewayError, ValueError):
            return reference
        # What stands beside the href in a template overrides the target's attributes.
        expanded = {"href": reference["href"], **target, **reference}
        if context.media == "xml":
            write = collection_children if listed else children
            expanded[EXPANDED] = await _made(
                before - effort.left > MUCH_BYTES,
                lambda: "".join(write(declared, expanded, context.edge.dialect)),
            )
        return expanded

    async def _read(self, context: Context, path: str, effort: Effort) -> tuple[Shape, ResourceType, bool]:
        declared = collection_at(path)
        if declared is not None:
            parent = await self.parent(context, path)
            wire = await self._collection(context, path, parent, QueryOptions(last=EXPANDED_ITEMS), effort)
            return self._by_old_name(declared, wire), declared, True
        declared = type_at(path)
        if declared is None:
            raise ValueError(path)
        resource = await self._services[declared.kind].read(context.caller, path)
        effort.weigh(resource.size)
        return self.wire(context, resource), declared, False

    async def parent(self, context: Context, path: str) -> Resource | None:
        """Return the resource that a nested collection belongs to, None for a root collection. Raises NotFound."""
        owner = path.rpartition("/")[0]
        declared = type_at(owner) if owner else None
        if declared is None:
            return None
        return await self._services[declared.kind].read(context.caller, owner)


async def _encoded(effort: Effort, write: Callable[[], bytes]) -> Encoded:
    """Return the body and the ETag of what was put together with this effort."""

    def encoded() -> Encoded:
        body = write()
        return body, etag(body)

    return await _made(effort.much, encoded)


async def _made(much: bool, make: Callable[[], Made]) -> Made:
    """Return what ``make`` makes, beside the event loop when it is much."""
    return await asyncio.get_running_loop().run_in_executor(WRITERS, make) if much else make()


def etag(body: bytes) -> str:
    """Return the tag of a document by its bytes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
