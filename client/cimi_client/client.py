"""A client of one CIMI provider: everything is found from its Cloud Entry Point, by hrefs and operations."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote, urljoin

from cimi_client.connection import Answer, Connection, Request, Watcher
from cimi_client.documents import Resource, absolute
from cimi_client.errors import (
    Ambiguous,
    AnswerLost,
    CimiError,
    NotFound,
    NotNow,
    NotOffered,
    ProtocolError,
    Refused,
)
from cimi_client.jobs import Accepted, Change, Creation
from cimi_client.json_types import Document, Json, documents, text
from cimi_client.queries import EVERYTHING, Query, equals
from cimi_client.servers import Server
from cimi_client.vocabulary import CREATED_BY_TEMPLATE, NAMESPACE, ROOT_KINDS, kind_of

PAGE = 100
"""Items of a page."""
NOTHING: Document = {}
A = TypeVar("A", bound=Accepted)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a collection; ``count`` is the size of the whole, as far as the filter goes."""

    collection: Resource
    items: tuple[Resource, ...]
    count: int


class Client:
    """A user at a provider. Used as an asynchronous context manager.

    Each method raises ServerAway, Refused with its kinds, ProtocolError or Unprotected; what else is said with it.
    """

    def __init__(self, server: Server, watcher: Watcher | None = None) -> None:
        self.server = server
        self.connection = Connection(server, watcher)
        self._entry: Resource | None = None
        self._base = server.entry
        self._metadata: dict[str, Resource] | None = None

    async def __aenter__(self) -> Client:
        await self.connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.connection.close()

    # Reading

    async def entry_point(self) -> Resource:
        """Return the Cloud Entry Point, which is read once."""
        if self._entry is None:
            answer = await self.connection.send(Request("GET", self.server.entry))
            document = answer.document()
            base = text(document.get("baseURI"))
            self._base = urljoin(answer.url, base) if base else answer.url
            self._entry = Resource(absolute(document, self._base))
        return self._entry

    async def get(self, reference: str, query: Query = EVERYTHING) -> Resource:
        """Return a resource by its URL, absolute or relative to the entry point's ``baseURI``."""
        url = query.applied_to(await self.url(reference))
        answer = await self.connection.send(Request("GET", url))
        return self._resource(answer)

    async def awaited(self, reference: str, seconds: int) -> tuple[Resource, bool]:
        """Return a Job once it has ended or after some seconds, and whether the provider waits at all.

        One that does not wait answers at once.
        """
        headers = {"Prefer": f"wait={seconds}"}
        answer = await self.connection.send(Request("GET", await self.url(reference), headers=headers))
        return self._resource(answer), "wait" in answer.headers.get("preference-applied", "")

    async def text(self, url: str) -> str:
        """Return the plain text that is at a URL, such as that of a console (a provider extension)."""
        answer = await self.connection.send(Request("GET", url, headers={"Accept": "text/plain, */*"}))
        return answer.body.decode(errors="replace")

    async def url(self, reference: str) -> str:
        """Return the absolute URL of a reference."""
        if "://" in reference:
            return reference
        await self.entry_point()
        return urljoin(self._base, reference.lstrip("/"))

    async def collection(self, name: str) -> str:
        """Return the URL of a collection of the Cloud Entry Point. Raises NotOffered."""
        entry = await self.entry_point()
        href = entry.href(name)
        if href is None:
            offered = sorted(key for key in entry.document if entry.href(key))
            raise NotOffered(f"{self.server.url} has no {name}; it has {', '.join(offered)}")
        return href

    async def page(self, collection: str, query: Query = EVERYTHING) -> Page:
        """Return one page of a collection, given by its name in the Cloud Entry Point or its URL."""
        read = await self.get(await self._collection_url(collection), query)
        count = read.number("count")
        return Page(read, read.items, len(read.items) if count is None else count)

    async def items(
        self, collection: str, query: Query = EVERYTHING, page: int = PAGE
    ) -> AsyncGenerator[Resource, None]:
        """Yield the items of a collection, page by page, also from providers that give all at once, or fewer.

        Raises NotOffered when the provider gives a part, and does not page.
        """
        url = await self._collection_url(collection)
        position, end, before = query.first or 1, query.last, ""
        while end is None or position <= end:
            last = position + page - 1 if end is None else min(end, position + page - 1)
            one = await self.page(url, _at(query, position, last))
            if one.items and one.items[0].id == before:
                raise NotOffered(f"{url} shows {len(one.items)} of {one.count} items, and has no pages")
            for item in one.items[: None if end is None else end - position + 1]:
                yield item
            position += len(one.items)
            before = one.items[0].id if one.items else ""
            if not one.items or position > one.count:
                return

    async def find(self, collection: str, name: str) -> Resource:
        """Return the resource of a collection with this name, id or URL. Raises NotFound, or Ambiguous."""
        if "://" in name:
            return await self.get(name)
        url = await self._collection_url(collection)
        if _looks_like_id(name):
            try:
                return await self._by_id(url, name)
            except NotFound:
                pass
        query = Query(filters=(equals("name", name),))
        named = [item async for item in self.items(url, query) if name in (item.name, item.key)]
        exact = [item for item in named if item.key == name] or named
        if len(exact) > 1:
            ids = [item.id for item in exact]
            raise Ambiguous(f"{len(ids)} of {kind_of(url)} are called {name!r}: {', '.join(ids)}", ids)
        return exact[0] if exact else await self._by_id(url, name)

    async def _by_id(self, collection: str, key: str) -> Resource:
        """Return the item whose URL is that of the collection and its id. Raises NotFound."""
        missing = NotFound(f"{kind_of(collection)}: there is none called {key!r}", 404, collection)
        if not key.strip("./") or "?" in collection:
            raise missing
        try:
            item = await self.get(f"{collection.rstrip('/')}/{quote(key, safe='')}")
        except Refused as error:
            if error.status in (400, 404, 405, 410):
                raise missing from None
            raise
        if item.key not in (key, quote(key, safe="")):
            raise missing
        return item

    async def capabilities(self, kind: str) -> Mapping[str, Json] | None:
        """Return what the provider says that it can do with a type: names to values; None when it says nothing."""
        if self._metadata is None:
            try:
                described = [item async for item in self.items("resourceMetadata")]
            except NotOffered:
                described = []
            uris = [item.text("typeURI") or item.text("typeUri") for item in described]
            self._metadata = {kind_of(uri): item for uri, item in zip(uris, described, strict=True)}
        metadata = self._metadata.get(kind)
        if metadata is None:
            return None
        entries = documents(metadata.document.get("capabilities"))
        return {kind_of(text(entry.get("uri"))): entry.get("value", True) for entry in entries}

    async def demand_filters(self) -> None:
        """Raise NotOffered when the provider says that it cannot filter."""
        capabilities = await self.capabilities("CloudEntryPoint")
        if capabilities is not None and capabilities.get("FilterParameter", False) is not True:
            raise NotOffered(f"{self.server.url} does not filter")

    # Changing

    async def create(self, collection: str, document: Document, *, key: str | None = None) -> Creation:
        """Ask for a new resource, once: a lost answer is asked for again where that makes no second one.

        ``collection`` is a name of the Cloud Entry Point or a URL. ``key`` is the Idempotency-Key; without it one is
        made. Raises NotOffered, and AnswerLost where the provider knows no such keys.
        """
        url = await self._collection_url(collection)
        listed = await self.get(url, Query(first=1, last=1))
        href = self.operation(listed, "add")
        kind = listed.item_kind or ROOT_KINDS.get(collection, "")
        return await self._post(Creation, href, self._create_document(kind, document), key, url)

    async def act(
        self, resource: Resource, verb: str, parameters: Document = NOTHING, *, key: str | None = None
    ) -> Change:
        """Ask for an action, such as ``stop``, of a resource as it was read. Raises NotOffered."""
        href = self.operation(resource, verb)
        action = {"action": resource.rel(verb), **parameters}
        return await self._post(Change, href, ("Action", action), key, resource.id)

    async def create_by(self, resource: Resource, verb: str, kind: str, document: Document) -> Creation:
        """Ask for a new resource by an action of another, such as ``snapshot`` of a Machine. Raises NotOffered."""
        href = self.operation(resource, verb)
        return await self._post(Creation, href, (kind, document), None, href)

    async def edit(self, resource: Resource, changes: Document, *, unconditional: bool = False) -> Change:
        """Change some attributes; None takes one away. Raises Conflict when it changed since it was read."""
        names = ",".join(changes)
        url = Query(select=(names,)).applied_to(self.operation(resource, "edit"))
        kept = {name: value for name, value in changes.items() if value is not None}
        return await self._put(resource, url, kept, unconditional)

    async def replace(self, resource: Resource, document: Document, *, unconditional: bool = False) -> Change:
        """Change all attributes: what is left out is taken away. Raises Conflict when it changed since it was read."""
        return await self._put(resource, self.operation(resource, "edit"), document, unconditional)

    async def delete(self, resource: Resource) -> Change:
        """Ask for the end of a resource. Raises NotOffered."""
        request = Request("DELETE", self.operation(resource, "delete"))
        answer = await self.connection.send(request)
        return self.accepted(Change, answer, resource.id, removes=True)

    # How

    async def _collection_url(self, collection: str) -> str:
        return collection if "://" in collection else await self.collection(collection)

    def operation(self, resource: Resource, verb: str) -> str:
        """Return the URL of an operation of a resource as it was read. Raises NotOffered."""
        href = resource.operations.get(verb)
        if href is None:
            offered = ", ".join(resource.operations) or "nothing"
            state = f" in state {resource.state}" if resource.state else ""
            called = f"{resource.name} ({resource.id})" if resource.name else resource.id
            kind = NotNow if state else NotOffered
            raise kind(f"{called}{state} does not offer {verb} now; it offers {offered}")
        return href

    def _create_document(self, kind: str, document: Document) -> tuple[str, Document]:
        """Return the name of the create document of a type, and its content."""
        root = f"{kind}Create" if kind in CREATED_BY_TEMPLATE else kind
        return root, {**({"resourceURI": f"{NAMESPACE}/{root}"} if root else {}), **document}

    async def _post(self, kind: type[A], url: str, content: tuple[str, Document], key: str | None, subject: str) -> A:
        root, document = content
        headers = {**self._content_type(), "Idempotency-Key": key or uuid.uuid4().hex}
        request = Request("POST", url, self._encoded(root, document), headers)
        try:
            answer = await self.connection.send(request)
        except AnswerLost as error:
            if not await self._knows_keys():
                words = "whether it was made is not known, and asking again might make a second one"
                raise AnswerLost(f"{error}; {words}") from error
            repeated = Request(request.method, request.url, request.body, request.headers, repeatable=True)
            answer = await self.connection.send(repeated)
        return self.accepted(kind, answer, subject)

    async def _knows_keys(self) -> bool:
        """Return whether the provider says that it answers a request with a known Idempotency-Key as it did before."""
        try:
            capabilities = await self.capabilities("CloudEntryPoint")
        except CimiError:
            return False
        return capabilities is not None and capabilities.get("IdempotencyKey") is True

    async def _put(self, resource: Resource, url: str, document: Document, unconditional: bool) -> Change:
        headers = self._content_type()
        if resource.etag is not None and not unconditional:
            headers["If-Match"] = resource.etag
        request = Request("PUT", url, self._encoded(resource.kind, document), headers)
        return self.accepted(Change, await self.connection.send(request), resource.id)

    def _content_type(self) -> dict[str, str]:
        return {"Content-Type": f"application/{self.server.media}"}

    def _encoded(self, root: str, document: Document) -> bytes:
        if self.server.media == "xml":
            if not root:
                raise CimiError("the provider does not say of which type this is, and XML has to")
            from cimi_client import xml_form

            return xml_form.write(document, root)
        return json.dumps(document).encode()

    def _resource(self, answer: Answer) -> Resource:
        if not answer.has_document:
            raise ProtocolError(f"{answer.url}: the answer is no CIMI document")
        return Resource(absolute(answer.document(), self._base), answer.headers.get("etag"))

    def accepted(self, kind: type[A], answer: Answer, subject: str, *, removes: bool = False) -> A:
        """Return a change that an answer says is accepted."""
        headers = dict(answer.headers)
        for name in ("location", "cimi-job-uri"):
            if name in headers:
                headers[name] = urljoin(self._base, headers[name])
        document = self._resource(answer) if answer.has_document else Resource({})
        return kind(self, Answer(answer.status, headers, answer.body, answer.url), subject, document, removes)


def _at(query: Query, first: int, last: int) -> Query:
    return Query(query.filters, query.order, query.select, query.expand, first, last)


def _looks_like_id(name: str) -> bool:
    """Return whether a name is a UUID, or the hexadecimal digits of one."""
    digits = name.replace("-", "")
    return len(digits) == 32 and all(digit in "0123456789abcdef" for digit in digits.lower())
