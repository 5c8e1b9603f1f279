"""The contract between the wire and each family of resources, in the program's own terms."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, Self

from gateway.store.model import Document, Page, Query, Resource
from gateway.store.transaction import Transaction


class Role(StrEnum):
    """A user's role, by which operations are granted."""

    ADMIN = "admin"
    OPERATOR = "operator"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The user who makes a request, with the project that it is made in, the role there, and the address.

    An admin's role counts in all projects: who has it sees everything, and what they make is in ``project``.
    ``idempotency_key`` makes a retried create give the first answer again.
    """

    user: str
    role: Role
    project: str
    """Id of the project."""
    request_id: str = ""
    idempotency_key: str | None = None
    address: str = ""
    parent_job: str | None = None
    """The Job that this request is a part of, when a Job asks for it."""
    rehearsed: tuple[str, ...] = ()
    """While a System is looked at before it is made: the SystemTemplates that this request is inside of."""
    reason: str = ""
    """The reason why the gateway asks by itself, in the name of the resource's owner; empty for a user's request."""
    once: Once | None = None
    """The memory, in place of an Idempotency-Key, of a Job that may ask again after a crash."""
    credential: str = ""
    """The credential that the request came by, in words: ``password``, ``token 3f2a``, ``uid 1000``."""
    manages: bool = False
    """Whether the caller may choose the members of the project."""
    reads_only: bool = False
    """Whether the credential lets nothing be changed."""
    limited: bool = False
    """Whether the credential allows less than the user may, or not for ever: it gives out no other."""
    confined: bool = False
    """Whether the credential counts in this one project."""

    @property
    def key_space(self) -> str:
        """Return within what the user's Idempotency-Keys are unique: the user in the project."""
        return self.project if self.user == self.project else f"{self.project}/{self.user}"


@dataclass(frozen=True)
class Asker:
    """The part of a Caller that a plan keeps: everything but what belongs to the one request.

    So the Job asks for the parts of a whole on behalf of whoever asked for the whole.
    """

    user: str
    role: Role
    request_id: str = ""
    address: str = ""
    project: str = ""
    """Id of the project that was asked in; empty where it is the user's name."""
    credential: str = ""

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Return what a plan keeps of this caller."""
        project = caller.project if caller.project != caller.user else ""
        return cls(caller.user, caller.role, caller.request_id, caller.address, project, caller.credential)

    def caller(self, job: str | None) -> Caller:
        """Return the caller for a request that is a part of this Job, or of none."""
        return Caller(
            self.user,
            self.role,
            self.project or self.user,
            self.request_id,
            address=self.address,
            parent_job=job,
            credential=self.credential,
        )


class Once(Protocol):
    """A memory by which a create happens once, however often it is repeated.

    Both methods are called in the transaction of the create.
    """

    async def recall(self, transaction: Transaction) -> Outcome | None:
        """Return what the create has made already; None when it has made nothing."""
        ...

    async def remember(self, transaction: Transaction, path: str, job: str) -> None:
        """Remember that the create makes the resource at this path by this Job."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a change: the resource that was made or changed (as it is now), and its Job.

    ``finished`` is False while the Job still runs; the wire then decides how long to wait for it.
    """

    resource: Resource | None
    job: str
    finished: bool
    location: str | None = None
    """Path of what an action makes, when that is known before it is there."""
    existing: bool = False
    """The resource was there before, as it was asked for: a create has made nothing."""
    shown_once: Mapping[str, str] = field(default_factory=dict)
    """Attributes that the answer to the create shows, and nothing later: a token."""


@dataclass(frozen=True, slots=True)
class Text:
    """Text that an action gives, in UTF-8, and in memory as a whole."""

    content: bytes


class Readable(Protocol):
    """Bytes that an action gives piece by piece."""

    @property
    def name(self) -> str:
        """Return the name of the file that the bytes make."""
        ...

    @property
    def size(self) -> int:
        """Return how many bytes there are."""
        ...

    @property
    def tag(self) -> str | None:
        """Return what changes when the bytes do; None for bytes that are given as a whole only."""
        ...

    def pieces(self, offset: int, length: int, /) -> AsyncGenerator[bytes, None]:
        """Yield ``length`` bytes from ``offset`` on. Raises DriverError or OSError."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes that a request brings: from ``start`` to ``end`` (not included) of ``total``, as far as it says so.

    ``start`` is None for everything from the beginning. ``digest`` is the SHA-256 of this part, in Base64.
    """

    start: int | None = None
    end: int | None = None
    total: int | None = None
    digest: str | None = None


class Incoming(Protocol):
    """Bytes on their way in that come by one request."""

    async def write(self, piece: bytes, /) -> None:
        """Take the next bytes. Raises TooLarge or NoSpace."""
        ...

    async def done(self) -> Outcome:
        """Return what begins now that all bytes are here."""
        ...


class IncomingPart(Protocol):
    """Bytes on their way into a resource that may take several requests for them."""

    @property
    def offset(self) -> int:
        """Return how many bytes of the resource are here."""
        ...

    async def write(self, piece: bytes, /) -> None:
        """Take the next bytes. Raises Invalid or NoSpace."""
        ...

    async def done(self) -> Outcome | None:
        """End the part; return what begins with the last byte of the resource, None while more are to come.

        Raises Invalid for bytes that are not what the request says.
        """
        ...


class Writable(Protocol):
    """A resource that waits for its bytes."""

    @property
    def resource(self) -> Resource:
        """Return the resource as it waits."""
        ...

    @property
    def received(self) -> int:
        """Return how many of its bytes are here."""
        ...

    def receive(self, part: Part, /) -> AbstractAsyncContextManager[IncomingPart]:
        """Take a part; nobody else sends bytes of the resource meanwhile. Raises Conflict, Invalid or WrongOffset."""
        ...


class Service(Protocol):
    """The verbs of one resource type. All of them raise gateway.errors, and change nothing when they do."""

    kind: str

    async def read(self, caller: Caller, path: str) -> Resource:
        """Return the resource at a path. Raises NotFound for one that is not there, or that the caller may not see."""
        ...

    async def list(self, caller: Caller, query: Query) -> Page:
        """Return the page of the collection that the query asks for, of what the caller may see."""
        ...

    async def add(self, caller: Caller, collection: str, document: Document) -> Outcome:
        """Make a resource in a collection from a Create document, once for an Idempotency-Key."""
        ...

    async def edit(
        self, caller: Caller, path: str, document: Document, selected: frozenset[str] | None, version: int | None
    ) -> Outcome:
        """Change all attributes that can be written, or only the ``selected`` ones.

        ``version`` is what If-Match demands; None demands nothing.
        """
        ...

    async def delete(self, caller: Caller, path: str, version: int | None) -> Outcome:
        """Delete the resource at a path. ``version`` is what If-Match demands; None demands nothing."""
        ...

    async def act(self, caller: Caller, path: str, action: str, document: dict[str, Any]) -> Outcome:
        """Begin an action on a resource: ``action`` is its verb (``start``), ``document`` is the checked Action."""
        ...

    async def rehearse(self, caller: Caller, document: Document) -> Resource | None:
        """Make all checks of a create, and return what it would make, None when nobody refers to that."""
        ...

    def operations(self, caller: Caller, resource: Resource) -> tuple[str, ...]:
        """Return the operations that are legal now for this caller: ``edit``, ``delete``, and action verbs."""
        ...

    def collection_operations(self, caller: Caller, parent: Resource | None) -> tuple[str, ...]:
        """Return ``add`` when this caller may add to the collection below ``parent``, else nothing.

        ``parent`` is None for a root collection.
        """
        ...
