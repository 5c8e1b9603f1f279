"""Resources and collections as bytes: selected, expanded, encoded, put together of what is remembered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.cimi.documents import inside, item, write_collection, write_resource
from gateway.cimi.json_codec import ready_reference
from gateway.cimi.query import EVERYTHING, PLAIN, QueryOptions, decisive, select_resource, selection_of
from gateway.cimi.references import EXPANDED
from gateway.cimi.registry import CLOUD_ENTRY_POINT, collection_at, type_at, type_of
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_codec import children
from gateway.errors import Forbidden, GatewayError, NotFound
from gateway.http import description, event_stream
from gateway.http.effort import Effort, is_much
from gateway.http.remembered import Key, Memory, Remembered
from gateway.http.request import Context
from gateway.orchestration.common.permissions import rights
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Query, Resource, SortKey

MOST_ITEMS = 1000
"""Items of one page at most; ``count`` stays true, and clients page on."""
IN_PLACE = QueryOptions(last=200)
"""How a collection is asked for that stands expanded in a resource."""
WRITERS = ThreadPoolExecutor(2, thread_name_prefix="answers")
"""Threads that encode long answers."""

Shape = dict[str, Any]
"""A resource or a collection as it goes out, before it is encoded."""
Encoded = tuple[bytes, str]
"""Body and ETag."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question of a request: for the whole answer, or for a part of it. ``mark`` names its options for the memory."""

    context: Context
    options: QueryOptions = PLAIN
    mark: Hashable = ()

    def about(self, options: QueryOptions, mark: Hashable) -> Question:
        """Return the question for a part of the answer."""
        return replace(self, options=options, mark=mark)

    def key(self, target: str) -> Key:
        """Return what the answer is remembered by."""
        context = self.context
        return Key(target, rights(context.caller), context.media, context.edge.base, self.mark)


@dataclass(slots=True)
class Making:
    """An answer, or a part of one, that is being made: what it costs, and the places that it stands on."""

    effort: Effort
    places: set[str] = field(default_factory=set)
    lasting: bool = True
    """Whether the same would be made again as long as its places are not touched."""
    began: tuple[int, int] = (0, 0)
    """What the whole answer had cost by then."""

    def part(self) -> Making:
        """Return the making of a part of the same answer."""
        return Making(self.effort, began=self.effort.spent)

    @property
    def cost(self) -> tuple[int, int]:
        """Return the resources that this has come to, and their bytes."""
        resources, size = self.effort.spent
        return resources - self.began[0], size - self.began[1]

    def add(self, part: Making) -> None:
        """Stand on what a part stands on."""
        self.places |= part.places
        self.lasting = self.lasting and part.lasting

    async def reuse(self, answer: Remembered) -> Remembered:
        """Return a remembered answer as a part of this one, which counts as if it had been made."""
        self.places.update(answer.places)
        await self.effort.spend(answer.cost[1], answer.cost[0])
        return answer

    def cut_short(self) -> bool:
        """Return whether nothing more may be expanded. What is cut short depends on what else is in the answer."""
        if self.effort.exhausted:
            self.lasting = False
        return self.effort.exhausted


class Representations:
    """The encoder of resources and collections for a caller.

    ``old_names``: the items of some collections stand under the names of CIMI 1.0, too.
    """

    def __init__(self, services: Mapping[str, ResourceService], memory: Memory, *, old_names: bool) -> None:
        self._services = services
        self._memory = memory
        self._old_names = old_names

    async def resource(self, context: Context, resource: Resource, options: QueryOptions) -> Encoded:
        """Return a resource as a document, selected and expanded, and its tag."""
        question = Question(context, options, () if options == PLAIN else decisive(context.parameters))
        answer = await self._resource(question, resource, Making(Effort()))
        return answer.body, answer.tag

    async def collection(self, context: Context, path: str, parent: Resource | None, options: QueryOptions) -> Encoded:
        """Return a page of a collection as a document, and its tag."""
        question = Question(context, options, () if options == PLAIN else decisive(context.parameters))
        answer = await self._collection(question, path, parent, Making(Effort()))
        return answer.body, answer.tag

    async def _made(self, question: Question, target: str, part: Making, write: Callable[[], bytes]) -> Remembered:
        """Return an answer with the bytes that ``write`` makes, and remember it where the same would be made again."""
        body, tag = await _encoded(is_much(*part.cost), write)
        answer = Remembered(tag, tuple(part.places), part.cost, body)
        if part.lasting:
            self._memory.keep(question.key(target), answer, question.context.since)
        return answer

    # One resource

    async def _resource(self, question: Question, resource: Resource, making: Making) -> Remembered:
        kept = self._memory.get(question.key(resource.path))
        if kept is not None:
            return await making.reuse(kept)
        context, options = question.context, question.options
        declared, service, part = type_of(resource.kind), self._services[resource.kind], making.part()
        part.lasting = not service.computed
        part.places.update((resource.path, *await service.look_around(resource)))
        await part.effort.spend(resource.size)
        wire = self.wire(context, resource)
        await self._expand(question, declared, wire, part)
        selection = select_resource(wire, options.select)
        making.add(part)
        return await self._made(
            question,
            resource.path,
            part,
            lambda: write_resource(declared, selection, context.media, context.edge),
        )

    def wire(self, context: Context, resource: Resource) -> Shape:
        """Return a resource as it goes out, with all operations that the caller may do now."""
        declared = type_of(resource.kind)
        reads_only = context.caller.reads_only
        verbs = () if reads_only else self._services[resource.kind].operations(context.caller, resource)
        document = resource.document
        if declared is CLOUD_ENTRY_POINT:
            base = context.edge.base
            own = {"eventStream": base + event_stream.PATH, "openapi": base + description.PATH}
            document = {**document, "baseURI": base, **own}
        times = (resource.created, resource.updated) if "created" in declared.attributes else None
        return context.edge.resource(declared, resource.path, document, times, verbs)

    # A collection

    async def _collection(self, question: Question, path: str, parent: Resource | None, making: Making) -> Remembered:
        kept = self._memory.get(question.key(path))
        if kept is not None:
            return await making.reuse(kept)
        declared = collection_at(path)
        assert declared is not None
        context, part = question.context, making.part()
        part.lasting = not self._services[declared.kind].computed
        part.places.update((path, declared.segment))
        if parent is not None:
            part.places.add(parent.path)
        wire = await self._page(question, path, parent, part)
        making.add(part)
        return await self._made(
            question, path, part, lambda: write_collection(declared, wire, context.media, context.edge)
        )

    async def _page(self, question: Question, path: str, parent: Resource | None, part: Making) -> Shape:
        """Return the page; it ends early, with at least one item, where the items come to too much."""
        declared = collection_at(path)
        assert declared is not None
        context, options, service = question.context, question.options, self._services[declared.kind]
        page = await service.list(context.caller, _query(declared, parent, options, part.effort.left))
        selection = selection_of(options, declared.items_key, declared.old_key)
        inner = QueryOptions(select=selection.inner, expand=options.expand)
        of_items = question.about(inner, () if inner == PLAIN else (inner.select, inner.expand))
        items: list[Any] = []
        for resource in page.items:
            made = await self._resource(of_items, resource, part)
            items.append(item(type_of(resource.kind), made.body, context.media, context.edge))
            if part.effort.full or (options.expand and part.effort.exhausted):
                part.lasting = False
                break
        verbs = () if context.caller.reads_only else service.collection_operations(context.caller, parent)
        wire = context.edge.collection(declared, path, items, page.count, verbs)
        if selection.own is not None:
            wire = {name: value for name, value in wire.items() if name in selection.own}
        return self._by_old_name(declared, wire)

    def _by_old_name(self, declared: ResourceType, wire: Shape) -> Shape:
        """Return the collection with its items under the JSON name that clients of 1.0 look for, too."""
        if declared.old_key is None or not self._old_names or declared.items_key not in wire:
            return wire
        return {**wire, declared.old_key: wire[declared.items_key]}

    # Expanding

    async def _expand(self, question: Question, declared: ResourceType, wire: Shape, part: Making) -> None:
        """Put the targets of references inside them; what the caller may not see stays a bare reference."""
        names = question.options.expand
        wanted = declared.references if EVERYTHING in names else declared.references & names
        for name in wanted & wire.keys():
            value = wire[name]
            if isinstance(value, list):
                wire[name] = [await self._target(question, entry, part) for entry in value]
            else:
                wire[name] = await self._target(question, value, part)

    async def _target(self, question: Question, reference: Any, part: Making) -> Any:
        if not isinstance(reference, dict) or "href" not in reference or part.cut_short():
            return reference
        context = question.context
        await part.effort.spend(0)
        try:
            path = context.edge.to_path(reference["href"])
            part.places.add(path)
            if len(reference) > 1:
                return await self._overridden(context, path, reference, part)
            answer, declared, listed = await self._read(question, path, part)
        except (GatewayError, ValueError) as error:
            # What cannot be read for another reason than its absence may be read the next time.
            part.lasting = part.lasting and isinstance(error, (NotFound, Forbidden, ValueError))
            return reference
        if context.media == "json":
            return ready_reference(reference["href"], answer.body)
        return {**reference, EXPANDED: inside(declared, answer.body, context.edge, listed=listed)}

    async def _read(self, question: Question, path: str, part: Making) -> tuple[Remembered, ResourceType, bool]:
        """Return the target of a reference, its type, and whether it is a collection of that."""
        declared = collection_at(path)
        listed = declared is not None
        declared = declared or type_at(path)
        if declared is None:
            raise ValueError(path)
        part_question = question.about(IN_PLACE, IN_PLACE) if listed else question.about(PLAIN, ())
        kept = self._memory.get(part_question.key(path))
        if kept is not None:
            answer = await part.reuse(kept)
        elif listed:
            answer = await self._collection(part_question, path, await self.parent(question.context, path), part)
        else:
            resource = await self._services[declared.kind].read(question.context.caller, path)
            answer = await self._resource(part_question, resource, part)
        return answer, declared, listed

    async def _overridden(self, context: Context, path: str, reference: Shape, part: Making) -> Shape:
        """Return a target with what stands beside the href in a template, which overrides the target's attributes."""
        declared = type_at(path)
        if declared is None:
            raise ValueError(path)
        service = self._services[declared.kind]
        resource = await service.read(context.caller, path)
        part.places.update(await service.look_around(resource))
        part.lasting = part.lasting and not service.computed
        await part.effort.spend(resource.size)
        expanded = {"href": reference["href"], **self.wire(context, resource), **reference}
        if context.media == "xml":
            expanded[EXPANDED] = "".join(children(declared, expanded, context.edge.dialect))
        return expanded

    async def parent(self, context: Context, path: str) -> Resource | None:
        """Return the resource that a nested collection belongs to, None for a root collection. Raises NotFound."""
        owner = path.rpartition("/")[0]
        declared = type_at(owner) if owner else None
        if declared is None:
            return None
        return await self._services[declared.kind].read(context.caller, owner)


def _query(declared: ResourceType, parent: Resource | None, options: QueryOptions, most_bytes: int) -> Query:
    most = options.first + MOST_ITEMS - 1
    return Query(
        kind=declared.kind,
        parent=parent.path if parent is not None else None,
        filters=options.filters,
        order=tuple(SortKey(name, descending) for name, descending in options.order),
        first=options.first,
        last=most if options.last is None else min(options.last, most),
        most_bytes=most_bytes,
    )


async def _encoded(much: bool, write: Callable[[], bytes]) -> Encoded:
    """Return the body and the ETag of an answer, made beside the event loop when it is much."""

    def encoded() -> Encoded:
        body = write()
        return body, etag(body)

    return await asyncio.get_running_loop().run_in_executor(WRITERS, encoded) if much else encoded()


def etag(body: bytes) -> str:
    """Return the tag of a document by its bytes."""
    return f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
