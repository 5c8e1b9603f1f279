"""Answers in documents: resources and collections as bytes, and what becomes of a change, with its Job.

Documents are selected, expanded and encoded; the plain ones are remembered. What an answer may cost is limited: others
get their turns of the event loop meanwhile, and an answer has an end.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from aiohttp import web

from gateway.cimi.documents import write_collection, write_resource
from gateway.cimi.query import EVERYTHING, QueryOptions, select_collection, select_resource
from gateway.cimi.references import EXPANDED
from gateway.cimi.registry import CLOUD_ENTRY_POINT, collection_at, type_at, type_of
from gateway.cimi.resource_type import ResourceType
from gateway.cimi.xml_codec import children, collection_children
from gateway.errors import GatewayError, status_of
from gateway.http import description, event_stream
from gateway.http.request import CONTENT_TYPES, Context, Exchange, header, names_tag, seconds_to_wait
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Query, Resource, SortKey

TURN_SECONDS = 0.02
"""How long an answer is worked on before others get their turn."""
MOST_EXPANDED = 5_000
"""Resources that stand expanded inside one answer."""
MOST_BYTES = 8 * 1024**2
"""Bytes, as the store keeps them, with which a page ends."""
MUCH = 100
"""Resources from which on an answer is encoded beside the event loop."""
MUCH_BYTES = 256 * 1024
"""Bytes from which on it is, however few resources they are."""


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
Current = Callable[[str], Awaitable[Resource | None]]
"""From a path to the resource as it is now; None when it is gone."""


class Effort:
    """The resources, and their bytes, that one answer has come to so far."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._spent = 0
        self._bytes = 0

    def weigh(self, size: int) -> None:
        """Count the bytes of a resource."""
        self._bytes += size

    async def spend(self, size: int = 0) -> None:
        """Count one resource, and its bytes where they are known, and let others have their turn when it is time."""
        self._spent += 1
        self.weigh(size)
        if time.perf_counter() - self._began > TURN_SECONDS:
            await asyncio.sleep(0)
            self._began = time.perf_counter()

    @property
    def exhausted(self) -> bool:
        """Return whether no more may be expanded."""
        return self._spent >= MOST_EXPANDED or self.full

    @property
    def full(self) -> bool:
        """Return whether the page ends here."""
        return self._bytes >= MOST_BYTES

    @property
    def left(self) -> int:
        """Return the bytes that may still come."""
        return max(0, MOST_BYTES - self._bytes)

    @property
    def much(self) -> bool:
        """Return whether it takes its time to encode the answer."""
        return self._spent > MUCH or self._bytes > MUCH_BYTES


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


class Answers:
    """The maker of answers. ``answer_wait`` is the seconds that a change waits for its Job by itself."""

    def __init__(
        self, runner: JobRunner, current: Current, representations: Representations, answer_wait: float
    ) -> None:
        self._runner = runner
        self._current = current
        self._representations = representations
        self._answer_wait = answer_wait

    def read(self, exchange: Exchange, encoded: Encoded) -> web.Response:
        """Return the answer to a read, 304 when the client has this representation already."""
        body, tag = encoded
        wanted = header(exchange.request, "If-None-Match")
        if wanted is not None and names_tag(wanted, (tag,), weakly=True):
            return web.Response(status=304, headers={"ETag": tag})
        return _response(exchange.context, 200, body, {"ETag": tag})

    async def state(self, exchange: Exchange, resource: Resource) -> web.Response:
        """Return the answer to a request that leaves the resource as it is: its representation."""
        body, _tag = await self._representations.resource(exchange.context, resource, QueryOptions())
        return _response(exchange.context, 200, body, {})

    async def changed(self, exchange: Exchange, outcome: Outcome, *, created: bool = False) -> web.Response:
        """Return the answer to a change, once its Job has ended or the client is to wait no longer."""
        context = exchange.context
        seconds, applied = seconds_to_wait(header(exchange.request, "Prefer"), self._answer_wait)
        job = await self._runner.wait(outcome.job, 0 if outcome.finished else seconds)
        headers = {"CIMI-Job-URI": exchange.context.edge.to_uri(outcome.job)}
        if applied is not None:
            headers["Preference-Applied"] = applied
        over = ended(job)
        if over and job.state != "SUCCESS":
            status = status_of(job.document.get("returnCode", GatewayError.return_code))
            return _response(context, status, await self._job_body(context, job), headers)
        resource = await self._current(outcome.resource.path) if outcome.resource is not None else None
        if created and outcome.resource is not None:
            headers["Location"] = exchange.context.edge.to_uri(outcome.resource.path)
        status = (201 if created and not outcome.existing else 200) if over else 202
        if resource is None:
            return _response(context, status, await self._job_body(context, job), headers)
        body, tag = await self._representations.resource(context, resource, QueryOptions())
        return _response(context, status, body, {**headers, "ETag": tag})

    async def begun(self, exchange: Exchange, outcome: Outcome) -> web.Response:
        """Return the answer to an action: its Job, as it is now."""
        job = await self._runner.wait(outcome.job, 0)
        headers = {"CIMI-Job-URI": exchange.context.edge.to_uri(outcome.job)}
        if outcome.location is not None:
            headers["Location"] = exchange.context.edge.to_uri(outcome.location)
        return _response(exchange.context, 202, await self._job_body(exchange.context, job), headers)

    async def _job_body(self, context: Context, job: Resource) -> bytes:
        return (await self._representations.resource(context, job, QueryOptions()))[0]


def _response(context: Context, status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=body, content_type=CONTENT_TYPES[context.media], headers=headers)
