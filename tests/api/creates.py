"""Every create that the declarations offer: of addable types, and by actions that make something."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from gateway.cimi.documents import ActionSchema
from gateway.cimi.fields import Attribute
from gateway.cimi.references import schema_fields
from gateway.cimi.registry import CREATE_SCHEMAS, TYPES
from gateway.cimi.resource_type import Action, ResourceType
from tests.api.client import ACTION, Answer, ApiClient
from tests.api.world import MADE_BY_ADMINS, World
from tests.api.xml_documents import as_xml

MEDIA = ("json", "xml")
NUMBERS = count(1)


@dataclass(frozen=True)
class Request:
    """One create as a client sends it, again and again, with one Idempotency-Key."""

    client: ApiClient
    url: str
    body: bytes | dict[str, Any]
    document: dict[str, Any]
    key: str

    async def send(self, **headers: str) -> Answer:
        return await self.client.post(self.url, self.body, Idempotency_Key=self.key, **headers)


@dataclass(frozen=True)
class Create:
    """``kind`` is what is made by a post to a collection, or the type whose ``action`` makes something."""

    kind: str
    action: Action | None = None
    on_collection: bool = False

    def __str__(self) -> str:
        return self.kind if self.action is None else f"{self.kind}-{self.action.verb}"

    async def request(self, world: World, media: str) -> Request:
        """A request that can be granted now."""
        client = world.admin if self.kind in MADE_BY_ADMINS else world.owner
        url, document = await self._url(world), await self._document(world)
        root, members = self._form()
        body = document if media == "json" else as_xml(root, members, document)
        sender = ApiClient(client.session, client.base, client.user, media)
        return Request(sender, url, body, document, f"key {next(NUMBERS)}")

    async def _url(self, world: World) -> str:
        declared = TYPES[self.kind]
        if self.action is None:
            return await world.collection(declared)
        owner = declared.segment if self.on_collection else await world.ensure(self.kind)
        return f"{owner}/{self.action.verb}"

    async def _document(self, world: World) -> dict[str, Any]:
        if self.kind == "ForwardingGroup":
            return {"forwardingGroupTemplate": {"networks": [await world.href("Network", new=True)]}}
        if self.action is None:
            return await world.document(self.kind)
        if self.action.creates:
            return {"name": "made by an action"}
        asked: dict[str, Any] = {"action": ACTION + self.action.verb}
        return {**asked, "source": world.package()} if "source" in self.action.parameters else asked

    def _form(self) -> tuple[str, dict[str, Attribute]]:
        kind = self.kind if self.action is None else self.action.creates
        if kind is None:
            return "Action", schema_fields(ActionSchema)
        return f"{kind}Create", schema_fields(CREATE_SCHEMAS.get(kind, TYPES[kind].schema))


def _creates(declared: ResourceType) -> Iterator[Create]:
    if declared.addable:
        yield Create(declared.kind)
    for action in declared.actions:
        if action.makes:
            yield Create(declared.kind, action)
    for action in declared.collection_actions:
        if action.makes:
            yield Create(declared.kind, action, on_collection=True)


CREATES = tuple(create for declared in TYPES.values() for create in _creates(declared))


def references(document: Any) -> Iterator[str]:
    """The URIs that stand anywhere in a document."""
    if isinstance(document, list):
        for entry in document:
            yield from references(entry)
    elif isinstance(document, dict):
        for name, value in document.items():
            if name == "href":
                yield value
            else:
                yield from references(value)
