"""The provider that is judged: what it offers, what was created there, and which of that has to be deleted again."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from conformance import vocabulary as words
from conformance.outcomes import NotOffered, Violation, expect, violated
from conformance.wire import Document, Exchange, Wire, until

T = TypeVar("T")
ENDED = ("SUCCESS", "FAILED", "STOPPED")
PAGE = 500
"""Items that are asked for at once where a whole collection is wanted."""


@dataclass(frozen=True)
class Options:
    """Options of the command line; ``seconds`` is the longest that a Job may take, ``timeout`` a single answer."""

    url: str
    user: str | None = None
    password: str = ""
    formats: tuple[str, ...] = ("json", "xml")
    image: str | None = None
    image_location: str | None = None
    package_location: str | None = None
    template: str | None = None
    only: tuple[str, ...] = ()
    seconds: float = 180.0
    timeout: float = 60.0
    verify: bool = True


@dataclass(frozen=True)
class Creation:
    """Outcome of a create: its answer, the new resource's URI, and its Job as it ended."""

    exchange: Exchange
    url: str
    job: Document | None

    @property
    def document(self) -> Document:
        """Document of the answer, empty when it had none."""
        return self.exchange.document or {}


@dataclass
class Provider:
    """Provider that is judged, as one user sees it in one format, with what the checks created there."""

    options: Options
    media: str
    mark: str = ""
    """Beginning of every name that is given, so that nothing created here is overlooked when tidying."""
    created: list[str] = field(default_factory=list)
    """URIs of what was created, oldest first."""
    _results: dict[str, Any] = field(default_factory=dict)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.mark = self.mark or f"conformance-{secrets.token_hex(3)}"
        self.wire = self._wire(self.media)
        self.other_wire = self._wire("xml" if self.media == "json" else "json")

    def _wire(self, media: str, user: str | None = "") -> Wire:
        """Return a wire in this format, of the user of the options unless another one, or None, is given."""
        options = self.options
        user = options.user if user == "" else user
        return Wire(options.url, user, options.password, media, options.timeout, options.verify)

    def anonymous(self) -> Wire:
        """Return a wire without credentials, whose exchanges are kept with the others."""
        wire = self._wire(self.media, None)
        wire.base, wire.exchanges = self.wire.base, self.wire.exchanges
        return wire

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what ``make`` gives, which is called once; its Violation or NotOffered is raised at each call."""
        if name not in self._results:
            try:
                self._results[name] = make()
            except (Violation, NotOffered) as error:
                self._results[name] = error
        result = self._results[name]
        if isinstance(result, NotOffered):
            raise NotOffered(str(result))
        if isinstance(result, Violation):
            raise Violation(str(result))
        return result  # type: ignore[no-any-return]

    def new_name(self, what: str) -> str:
        """Return a name that no other resource has, with the mark of this run."""
        self._numbers += 1
        return f"{self.mark}-{self._numbers}-{what}"

    # What the provider offers

    @property
    def entry_point(self) -> Document:
        """The Cloud Entry Point, read once."""
        return self.once("cep", self._entry_point)

    def _entry_point(self) -> Document:
        document = self.read("")
        base = document.get("baseURI")
        if isinstance(base, str):
            self.wire.base = self.other_wire.base = base
        return document

    def offers(self, entry: str) -> bool:
        """Return whether the Cloud Entry Point refers to this collection."""
        return isinstance(self.entry_point.get(entry), dict)

    def collection(self, entry: str) -> str:
        """Return the URI of a collection of the Cloud Entry Point. Raises NotOffered when it has none."""
        reference = self.entry_point.get(entry)
        if not isinstance(reference, dict) or not reference.get("href"):
            raise NotOffered(f"the Cloud Entry Point has no {entry}")
        return str(reference["href"])

    def entries(self) -> list[str]:
        """Return the attributes of the Cloud Entry Point that lead to collections of the standard."""
        shape = words.shape("CloudEntryPoint")
        return [name for name in shape if shape[name].kind == "ref" and self.offers(name)]

    def read(self, url: str, *parameters: tuple[str, str]) -> Document:
        """Return the document at this URI. Raises Violation when there is none."""
        exchange = self.wire.get(url, *parameters)
        expect(exchange.status == 200, f"GET {exchange.url} was answered {exchange.summary}")
        expect(exchange.document, f"GET {exchange.url}: the body is no {self.media} document")
        return exchange.document or {}

    def items(self, document: Document, kind: str | None = None) -> list[Document]:
        """Return the items of a collection that was read; without ``kind`` they are of the type in its resourceURI."""
        name = kind or words.type_name(document.get("resourceURI")).removesuffix("Collection")
        items = document.get(words.items_key(name), [])
        return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

    def items_at(self, url: str, *parameters: tuple[str, str]) -> list[Document]:
        """Return the items that one GET of a collection shows. Raises Violation when there is no document."""
        return self.items(self.read(url, *parameters))

    def all_items(self, url: str) -> list[Document]:
        """Return all items, page by page where the provider shows fewer than it counts."""
        document = self.read(url)
        items, count = self.items(document), document.get("count")
        while isinstance(count, int) and len(items) < count:
            page = self.items_at(url, ("$first", str(len(items) + 1)), ("$last", str(len(items) + PAGE)))
            if not page:
                break
            items += page
        return items

    def operation(self, document: Document, verb: str) -> str | None:
        """Return the href of the operation with this rel, or of this action; None when it is not offered."""
        rels = (verb, words.ACTION + verb)
        hrefs = [entry.get("href") for entry in document.get("operations") or [] if entry.get("rel") in rels]
        return str(hrefs[0]) if hrefs and hrefs[0] else None

    def demand_operation(self, document: Document, verb: str) -> str:
        """Return the href of an operation. Raises NotOffered when the resource does not offer it."""
        href = self.operation(document, verb)
        if href is None:
            raise NotOffered(f"{document.get('id')} does not offer {verb}")
        return href

    def metadata(self, kind: str) -> Document | None:
        """Return the ResourceMetadata of a type, None when there is none."""

        def read_all() -> dict[str, Document]:
            entries = self.all_items(self.collection("resourceMetadata"))
            return {words.type_name(entry.get("typeURI")): entry for entry in entries}

        return self.once("metadata", read_all).get(kind) if self.offers("resourceMetadata") else None

    def capability(self, kind: str, name: str) -> Any:
        """Return the value of a capability; None without it, True when it has no value."""
        wanted = f"{words.CAPABILITY}{kind}/{name}".lower()
        for entry in (self.metadata(kind) or {}).get("capabilities", []):
            if str(entry.get("uri", "")).lower() == wanted:
                value = entry.get("value", True)
                return {"true": True, "false": False}.get(str(value).lower(), value)
        return None

    def has_capability(self, kind: str, name: str) -> bool:
        """Return whether a capability is published as true."""
        return self.capability(kind, name) is True

    def demand_capability(self, kind: str, name: str) -> None:
        """Raise NotOffered unless a capability is published as true."""
        if not self.has_capability(kind, name):
            raise NotOffered(f"the capability {kind}/{name} is not true")

    # Creating and changing

    def add(self, url: str, kind: str, content: Document, **more: Any) -> Exchange:
        """Post to a collection's operation "add", whatever the answer; what it creates will be tidied away."""
        target = self.once(f"add {url}", lambda: self.demand_operation(self.read(url, ("$last", "1")), "add"))
        exchange = self.wire.post(target, kind, content, **more)
        created = exchange.location or (exchange.document or {}).get("id")
        if exchange.good and isinstance(created, str) and created:
            self.note_created(created)
        return exchange

    def note_created(self, url: str) -> None:
        """Remember that a resource was created, so that it will be tidied away."""
        url = self.wire.absolute(url)
        if url not in self.created:
            self.created.append(url)

    def create(self, url: str, kind: str, content: Document) -> Creation:
        """Create, and wait until it is done. Raises Violation when it fails."""
        exchange = self.add(url, kind, content)
        expect(exchange.status in (201, 202), f"creating a {kind} was answered {exchange.summary}")
        job = self.finish(exchange)
        where = exchange.location or (exchange.document or {}).get("id") or self._created_by(job)
        expect(where, f"the answer to the create of a {kind} does not say where it is")
        self.note_created(str(where))
        return Creation(exchange, self.wire.absolute(str(where)), job)

    def new_resource(self, entry: str, kind: str, content: Document) -> Document:
        """Create in a collection of the Cloud Entry Point, and read what came of it."""
        return self.read(
            self.create(self.collection(entry), kind, {"name": self.new_name(kind.lower()), **content}).url
        )

    def _created_by(self, job: Document | None) -> str | None:
        if job is None:
            return None
        target = (job.get("targetResource") or {}).get("href")
        others = [ref.get("href") for ref in job.get("affectedResources", []) if ref.get("href") != target]
        return others[0] if others else None

    def finish(self, exchange: Exchange) -> Document | None:
        """Wait for the Job of an answer, if it has one. Raises Violation when it fails or does not end."""
        job = self.ended_job(exchange)
        if job is not None:
            expect(
                job.get("state") == "SUCCESS",
                f"the Job of {exchange.line} ended {job.get('state')}: {job.get('statusMessage')}",
            )
        return job

    def ended_job(self, exchange: Exchange) -> Document | None:
        """Return the Job of an answer once it has ended, whatever its outcome.

        Where the answer names no Job, wait until its target is at rest, and return None. Raises Violation when the Job
        does not end within the time of the options.
        """
        if exchange.job is None:
            where = exchange.location or exchange.url
            until(lambda: self._at_rest(where), self.options.seconds if exchange.status == 202 else 0)
            return None
        job: Document | None = until(lambda: self._job_if_ended(str(exchange.job)), self.options.seconds)
        return job or violated(f"the Job {exchange.job} did not end within {self.options.seconds:.0f} s")

    def _job_if_ended(self, url: str) -> Document | None:
        document = self.read(url)
        return document if document.get("state") in ENDED else None

    def _at_rest(self, url: str) -> bool:
        answer = self.wire.get(url)
        return not answer.good or not str((answer.document or {}).get("state", "")).endswith("ING")

    def request_action(self, document: Document, verb: str, **parameters: Any) -> Exchange:
        """Ask for an action of the resource. Raises NotOffered when the resource does not offer it."""
        content = {"action": words.ACTION + verb, **parameters}
        return self.wire.post(self.demand_operation(document, verb), "Action", content)

    def perform(self, url: str, verb: str, **parameters: Any) -> Document:
        """Do an action, wait for its end, and read the resource."""
        exchange = self.request_action(self.read(url), verb, **parameters)
        expect(exchange.good, f"{verb} was answered {exchange.summary}")
        self.finish(exchange)
        return self.read(url)

    def edit(self, document: Document, kind: str, content: Document, select: str) -> None:
        """Update the selected attributes, and wait until it is done. Raises Violation when it fails.

        Raises NotOffered when the resource does not offer edit.
        """
        exchange = self.wire.put(self.demand_operation(document, "edit"), kind, content, ("$select", select))
        expect(exchange.good, f"the update of {select} was answered {exchange.summary}")
        self.finish(exchange)

    def wait_for_state(self, url: str, wanted: str) -> Document:
        """Return the resource once it is in a state. Raises Violation when it goes into ERROR, or takes too long."""
        documents: list[Document] = []

        def reached() -> bool:
            documents.append(self.read(url))
            return documents[-1].get("state") in (wanted, "ERROR")

        until(reached, self.options.seconds)
        state = documents[-1].get("state")
        expect(state == wanted, f"{url} is {state} where {wanted} belongs")
        return documents[-1]

    def delete(self, url: str) -> Exchange:
        """Delete, and wait until it is done. Raises Violation when that fails."""
        exchange = self.wire.delete(self.operation(self.read(url), "delete") or url)
        expect(exchange.status in (200, 202, 204), f"DELETE {url} was answered {exchange.summary}")
        self.finish(exchange)
        return exchange

    def is_gone(self, url: str) -> bool:
        """Return whether a GET says that the resource is not there."""
        return self.wire.get(url).status in (404, 410)


def fixture(function: Callable[[Provider], T]) -> Callable[[Provider], T]:
    """Let a function that looks for a resource, or creates one, do so once in each format for all checks."""

    @wraps(function)
    def result(provider: Provider) -> T:
        return provider.once(f"{function.__module__}.{function.__qualname__}", lambda: function(provider))

    return result
