"""What the checks stand on: the provider as it was discovered, and what was made there and has to go again."""

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
    """What the command line says. ``seconds`` is the longest that a Job may take."""

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
class Made:
    """What a create gave: its answer, the new resource's URI, and its Job as it ended."""

    exchange: Exchange
    url: str
    job: Document | None

    @property
    def document(self) -> Document:
        return self.exchange.document or {}


@dataclass
class World:
    """One format's view of one provider."""

    options: Options
    media: str
    mark: str = ""
    """Every name that is given begins with it, so that nothing made here is overlooked when tidying."""
    kept: list[str] = field(default_factory=list)
    """URIs of what was made, oldest first."""
    _facts: dict[str, Any] = field(default_factory=dict)
    _numbers: int = 0

    def __post_init__(self) -> None:
        self.mark = self.mark or f"conformance-{secrets.token_hex(3)}"
        self.wire = self._wire(self.media)
        self.other = self._wire("xml" if self.media == "json" else "json")

    def _wire(self, media: str, user: str | None = "") -> Wire:
        options = self.options
        known = options.user if user == "" else user
        return Wire(options.url, known, options.password, media, options.timeout, options.verify)

    def anonymous(self) -> Wire:
        """Without credentials."""
        wire = self._wire(self.media, None)
        wire.base, wire.exchanges = self.wire.base, self.wire.exchanges
        return wire

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Made at the first asking; what went wrong then goes wrong in the same words every time."""
        if name not in self._facts:
            try:
                self._facts[name] = make()
            except (Violation, NotOffered) as error:
                self._facts[name] = error
        found = self._facts[name]
        if isinstance(found, NotOffered):
            raise NotOffered(str(found))
        if isinstance(found, Violation):
            raise Violation(str(found))
        return found  # type: ignore[no-any-return]

    def name(self, what: str) -> str:
        self._numbers += 1
        return f"{self.mark}-{self._numbers}-{what}"

    # What there is

    @property
    def entry_point(self) -> Document:
        return self.once("cep", self._entry_point)

    def _entry_point(self) -> Document:
        document = self.read("")
        base = document.get("baseURI")
        if isinstance(base, str):
            self.wire.base = self.other.base = base
        return document

    def offers(self, entry: str) -> bool:
        return isinstance(self.entry_point.get(entry), dict)

    def collection(self, entry: str) -> str:
        """URI of a collection of the Cloud Entry Point. Raises NotOffered when it has none."""
        found = self.entry_point.get(entry)
        if not isinstance(found, dict) or not found.get("href"):
            raise NotOffered(f"the Cloud Entry Point has no {entry}")
        return str(found["href"])

    def entries(self) -> list[str]:
        """Attributes of the Cloud Entry Point that lead to collections of the standard."""
        shape = words.shape("CloudEntryPoint")
        return [name for name in shape if shape[name].kind == "ref" and self.offers(name)]

    def read(self, url: str, *parameters: tuple[str, str]) -> Document:
        """Raises Violation when there is no document at this URI."""
        exchange = self.wire.get(url, *parameters)
        expect(exchange.status == 200, f"GET {exchange.url} was answered {exchange.told()}")
        expect(exchange.document, f"GET {exchange.url}: the body is no {self.media} document")
        return exchange.document or {}

    def items(self, document: Document, kind: str | None = None) -> list[Document]:
        """Of a collection that was read; its kind is in its resourceURI."""
        name = kind or words.type_name(document.get("resourceURI")).removesuffix("Collection")
        found = document.get(words.items_key(name), [])
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def listed(self, url: str, *parameters: tuple[str, str]) -> list[Document]:
        return self.items(self.read(url, *parameters))

    def everything(self, url: str) -> list[Document]:
        """All items, page by page where the provider shows fewer than it counts."""
        document = self.read(url)
        found, count = self.items(document), document.get("count")
        while isinstance(count, int) and len(found) < count:
            page = self.listed(url, ("$first", str(len(found) + 1)), ("$last", str(len(found) + PAGE)))
            if not page:
                break
            found += page
        return found

    def operation(self, document: Document, verb: str) -> str | None:
        """Href of the operation with this rel, or of this action."""
        rels = (verb, words.ACTION + verb)
        found = [entry.get("href") for entry in document.get("operations") or [] if entry.get("rel") in rels]
        return str(found[0]) if found and found[0] else None

    def demanded(self, document: Document, verb: str) -> str:
        href = self.operation(document, verb)
        if href is None:
            raise NotOffered(f"{document.get('id')} does not offer {verb}")
        return href

    def metadata(self, kind: str) -> Document | None:
        """The ResourceMetadata of a type, None when there is none."""

        def known() -> dict[str, Document]:
            entries = self.everything(self.collection("resourceMetadata"))
            return {words.type_name(entry.get("typeURI")): entry for entry in entries}

        return self.once("metadata", known).get(kind) if self.offers("resourceMetadata") else None

    def capability(self, kind: str, name: str) -> Any:
        """The value of a capability; None when it is not published, True when it is published without a value."""
        wanted = f"{words.CAPABILITY}{kind}/{name}".lower()
        for entry in (self.metadata(kind) or {}).get("capabilities", []):
            if str(entry.get("uri", "")).lower() == wanted:
                value = entry.get("value", True)
                return {"true": True, "false": False}.get(str(value).lower(), value)
        return None

    def has(self, kind: str, name: str) -> bool:
        return self.capability(kind, name) is True

    def demand_capability(self, kind: str, name: str) -> None:
        if not self.has(kind, name):
            raise NotOffered(f"the capability {kind}/{name} is not true")

    # Making and changing

    def add(self, url: str, kind: str, content: Document, **more: Any) -> Exchange:
        """POST to a collection's addURI, whatever the answer; what it makes will be tidied away."""
        target = self.once(f"add {url}", lambda: self.demanded(self.read(url, ("$last", "1")), "add"))
        exchange = self.wire.post(target, kind, content, **more)
        made = exchange.location or (exchange.document or {}).get("id")
        if exchange.good and isinstance(made, str) and made:
            self.keep(made)
        return exchange

    def keep(self, url: str) -> None:
        url = self.wire.absolute(url)
        if url not in self.kept:
            self.kept.append(url)

    def make(self, url: str, kind: str, content: Document) -> Made:
        """Create, and wait until it is done. Raises Violation when it fails."""
        exchange = self.add(url, kind, content)
        expect(exchange.status in (201, 202), f"creating a {kind} was answered {exchange.told()}")
        job = self.finish(exchange)
        where = exchange.location or (exchange.document or {}).get("id") or self._made_by(job)
        expect(where, f"the answer to the create of a {kind} does not say where it is")
        self.keep(str(where))
        return Made(exchange, self.wire.absolute(str(where)), job)

    def made(self, entry: str, kind: str, content: Document) -> Document:
        """Create in a collection of the Cloud Entry Point, and read what came of it."""
        return self.read(self.make(self.collection(entry), kind, {"name": self.name(kind.lower()), **content}).url)

    def _made_by(self, job: Document | None) -> str | None:
        if job is None:
            return None
        target = (job.get("targetResource") or {}).get("href")
        others = [ref.get("href") for ref in job.get("affectedResources", []) if ref.get("href") != target]
        return others[0] if others else None

    def finish(self, exchange: Exchange) -> Document | None:
        """Wait for the Job of an answer, if it has one; raises Violation when it fails or does not end."""
        job = self.ended(exchange)
        if job is not None:
            expect(
                job.get("state") == "SUCCESS",
                f"the Job of {exchange.line} ended {job.get('state')}: {job.get('statusMessage')}",
            )
        return job

    def ended(self, exchange: Exchange) -> Document | None:
        """The Job of an answer once it has ended, whatever its outcome; without Jobs, once its target is at rest."""
        if exchange.job is None:
            where = exchange.location or exchange.url
            until(lambda: self._at_rest(where), self.options.seconds if exchange.status == 202 else 0)
            return None
        job: Document | None = until(lambda: self._ended_job(str(exchange.job)), self.options.seconds)
        return job or violated(f"the Job {exchange.job} did not end within {self.options.seconds:.0f} s")

    def _ended_job(self, url: str) -> Document | None:
        document = self.read(url)
        return document if document.get("state") in ENDED else None

    def _at_rest(self, url: str) -> bool:
        found = self.wire.get(url)
        return not found.good or not str((found.document or {}).get("state", "")).endswith("ING")

    def act(self, document: Document, verb: str, **parameters: Any) -> Exchange:
        """Ask for an action which the resource offers. Raises NotOffered when it does not."""
        return self.wire.post(self.demanded(document, verb), "Action", {"action": words.ACTION + verb, **parameters})

    def acted(self, url: str, verb: str, **parameters: Any) -> Document:
        """Do an action, wait for its end, and read the resource."""
        exchange = self.act(self.read(url), verb, **parameters)
        expect(exchange.good, f"{verb} was answered {exchange.told()}")
        self.finish(exchange)
        return self.read(url)

    def state(self, url: str, wanted: str, seconds: float | None = None) -> Document:
        """Wait for a state. Raises Violation when it does not come."""
        found: list[Document] = []

        def reached() -> bool:
            found.append(self.read(url))
            return found[-1].get("state") in (wanted, "ERROR")

        until(reached, self.options.seconds if seconds is None else seconds)
        state = found[-1].get("state")
        expect(state == wanted, f"{url} is {state} where {wanted} belongs")
        return found[-1]

    def removed(self, url: str) -> Exchange:
        """Delete, and wait until it is done. Raises Violation when that fails."""
        exchange = self.wire.delete(self.operation(self.read(url), "delete") or url)
        expect(exchange.status in (200, 202, 204), f"DELETE {url} was answered {exchange.told()}")
        self.finish(exchange)
        return exchange

    def gone(self, url: str) -> bool:
        return self.wire.get(url).status in (404, 410)


def fact(function: Callable[[World], T]) -> Callable[[World], T]:
    """A thing that several checks need: found or made once in each format."""

    @wraps(function)
    def known(world: World) -> T:
        return world.once(f"{function.__module__}.{function.__qualname__}", lambda: function(world))

    return known
