"""The generic handlers: read, list, add, edit, delete, act. One set for all types (DSP0263 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from gateway.cimi import documents
from gateway.cimi.query import QueryOptions, selected
from gateway.cimi.registry import CLOUD_ENTRY_POINT, acting_collection_at, collection_at, type_at, type_of
from gateway.cimi.resource_type import Action, ResourceType
from gateway.errors import Conflict, Invalid, MethodNotAllowed, NotFound, PreconditionFailed
from gateway.http.answers import Answers
from gateway.http.bodies import Bodies, Transfers
from gateway.http.representation import Representations
from gateway.http.request import ANY, CONTENT_TYPES, READS, Context, Exchange, header, media_type, names_tag
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.common.permissions import demand, demand_any
from gateway.orchestration.common.resource_service import ResourceService
from gateway.store.model import Resource
from gateway.store.transaction import PROMISER

EDIT_TRIES = 5


class Handlers:
    """The handlers of all resource types, whose ``services`` are known by their kinds."""

    def __init__(
        self,
        services: Mapping[str, ResourceService],
        representations: Representations,
        answers: Answers,
        bodies: Bodies,
        transfers: Transfers,
    ) -> None:
        self._services = services
        self._representations = representations
        self._answers = answers
        self._bodies = bodies
        self._transfers = transfers

    async def handle(self, request: web.Request, context: Context, path: str) -> web.StreamResponse:
        """Find what the path means, and do what the method asks. Raises gateway.errors."""
        PROMISER.set(context.caller.user)
        path = path.rstrip("/") or CLOUD_ENTRY_POINT.segment
        owner, _, verb = path.rpartition("/")
        acting = acting_collection_at(path)
        if acting is not None:
            listed, action = acting
            return await self._on_collection_action(self._exchange(request, context, owner, listed), action)
        listed_here = collection_at(path)
        if listed_here is not None:
            return await self._on_collection(self._exchange(request, context, path, listed_here))
        declared = type_at(path)
        if declared is not None:
            return await self._on_resource(self._exchange(request, context, path, declared))
        acted_on = type_at(owner) if owner else None
        named = acted_on.action(verb) if acted_on is not None else None
        if acted_on is None or named is None:
            raise NotFound("there is nothing at this URL")
        return await self._on_action(self._exchange(request, context, owner, acted_on), named)

    def _exchange(self, request: web.Request, context: Context, path: str, declared: ResourceType) -> Exchange:
        return Exchange(request, context, path, declared, self._services[declared.kind])

    # Collections

    async def _on_collection(self, exchange: Exchange) -> web.Response:
        context, path, declared = exchange.context, exchange.path, exchange.declared
        parent = await self._representations.parent(context, path)
        if exchange.request.method in READS:
            encoded = await self._representations.collection(context, path, parent, exchange.options)
            return self._answers.read(exchange, encoded)
        allow = (*READS, "POST") if declared.addable else READS
        if exchange.request.method != "POST" or not declared.addable:
            raise MethodNotAllowed(f"a collection of {declared.kind} does not take {exchange.request.method}", allow)
        return await self._add(exchange)

    async def _add(self, exchange: Exchange, *, by_action: bool = False) -> web.Response:
        """Make a resource of a Create document; ``by_action``: of one that was posted to an action's URI."""
        kind, edge = exchange.declared.kind, exchange.context.edge
        demand(exchange.context.caller.role, kind, "add")
        document = await self._bodies.document(
            exchange.request,
            lambda body, media: documents.read_create(kind, body, media, edge, by_action=by_action),
            optional=by_action,
        )
        outcome = await exchange.service.add(exchange.context.caller, exchange.path, document)
        return await self._answers.changed(exchange, outcome, created=True)

    async def _on_collection_action(self, exchange: Exchange, action: Action) -> web.Response:
        request, caller, service = exchange.request, exchange.context.caller, exchange.service
        if exchange.request.method not in action.methods:
            raise MethodNotAllowed(f"{action.verb} is asked for by {action.method}", action.methods)
        demand(caller.role, exchange.declared.kind, action.verb)
        if media_type(request.headers.get("Content-Type")) in action.sent:
            # The query's parameters are the action's properties.
            properties = {name: value for name, value in exchange.context.parameters if not name.startswith("$")}
            size = request.content_length
            incoming = service.incoming(caller, exchange.path, action.verb, size, properties)
            outcome = await self._transfers.take(request, incoming)
        else:
            document = await self._action_document(exchange)
            outcome = await service.act_on_collection(caller, exchange.path, action.verb, document.parameters)
        return await self._answers.begun(exchange, outcome)

    # Resources

    async def _on_resource(self, exchange: Exchange) -> web.StreamResponse:
        declared, service = exchange.declared, exchange.service
        if exchange.request.method in READS:
            return await self._read(exchange)
        if exchange.request.method == "PUT" and declared.editable:
            return await self._edit(exchange)
        if exchange.request.method == "DELETE" and declared.deletable:
            version = await self._required_version(exchange)
            outcome = await service.delete(exchange.context.caller, exchange.path, version)
            return await self._answers.changed(exchange, outcome)
        if exchange.request.method == "POST" and _takes_action_documents(declared):
            return await self._on_posted_action(exchange)
        raise MethodNotAllowed(f"a {declared.kind} does not take {exchange.request.method}", _allowed(declared))

    async def _read(self, exchange: Exchange) -> web.Response:
        caller, service = exchange.context.caller, exchange.service
        resource, waited = await service.read(caller, exchange.path), {}
        if exchange.declared.kind == "Job":
            waited = await self._answers.patience(exchange)
            resource = await service.read(caller, exchange.path) if waited else resource
        encoded = await self._representations.resource(exchange.context, resource, exchange.options)
        response = self._answers.read(exchange, encoded)
        response.headers.update(waited)
        return response

    async def _edit(self, exchange: Exchange) -> web.Response:
        kind, edge = exchange.declared.kind, exchange.context.edge
        await exchange.service.to_change(exchange.context.caller, exchange.path, "edit")
        await self._required_version(exchange)
        names = selected(exchange.context.parameters)
        document = await self._bodies.document(
            exchange.request, lambda body, media: documents.read_edit(kind, body, media, edge, names)
        )
        return await self._answers.changed(exchange, await self._edited(exchange, document, names))

    async def _edited(self, exchange: Exchange, document: dict[str, Any], names: frozenset[str] | None) -> Outcome:
        """Edit the resource, anew when it was changed meanwhile, as when a guest changes its state.

        Such a change stops only those who gave a tag. Raises PreconditionFailed for them, and Conflict.
        """
        for _ in range(EDIT_TRIES):
            version = await self._required_version(exchange)
            try:
                return await exchange.service.edit(exchange.context.caller, exchange.path, document, names, version)
            except PreconditionFailed:
                if version is not None:
                    raise
        raise Conflict(f"this {exchange.declared.kind} is being changed all the time; try again later")

    async def _required_version(self, exchange: Exchange) -> int | None:
        """Return the version that If-Match means, None when it means none.

        Raises PreconditionFailed when it, or If-None-Match, forbids the change.
        """
        wanted, unwanted = header(exchange.request, "If-Match"), header(exchange.request, "If-None-Match")
        if wanted is None and unwanted is None:
            return None
        resource = await exchange.service.read(exchange.context.caller, exchange.path)
        tags = await self._tags(exchange, resource)
        if wanted is not None and not names_tag(wanted, tags):
            raise PreconditionFailed("If-Match: the resource was changed since; read it again")
        if unwanted is not None and names_tag(unwanted, tags, weakly=True):
            raise PreconditionFailed("If-None-Match: the resource is the one that was not to be changed")
        return resource.version if wanted is not None and wanted.strip() != ANY else None

    async def _tags(self, exchange: Exchange, resource: Resource) -> set[str]:
        """Return the tags of all that a client may have read: in both formats, whole or by the same query."""
        queries = {QueryOptions(), exchange.options}
        views = [replace(exchange.context, media=media) for media in CONTENT_TYPES]
        return {
            (await self._representations.resource(view, resource, options))[1] for view in views for options in queries
        }

    # Actions

    async def _on_action(self, exchange: Exchange, action: Action) -> web.StreamResponse:
        """Do the action whose URI was asked for."""
        caller = exchange.context.caller
        if not action.makes or caller.idempotency_key is None:
            # What makes something is answered once more also when this resource is gone.
            await exchange.service.read(caller, exchange.path)
        if exchange.request.method not in action.methods:
            raise MethodNotAllowed(f"{action.verb} is asked for by {action.method}", action.methods)
        if action.of_bytes:
            return await self._on_bytes(exchange, action)
        demand_any(caller.role, exchange.declared.kind, [action.verb])
        await self._required_version(exchange)
        if action.creates:
            return await self._add_by_action(exchange, action)
        document = await self._action_document(exchange)
        return await self._act(exchange, action, document)

    async def _on_posted_action(self, exchange: Exchange) -> web.StreamResponse:
        """Do the action that the document names which was posted to the resource."""
        declared = exchange.declared
        await exchange.service.read(exchange.context.caller, exchange.path)
        demand_any(exchange.context.caller.role, exchange.declared.kind, [action.verb for action in declared.actions])
        await self._required_version(exchange)
        document = await self._action_document(exchange)
        if document.verb is None:
            raise Invalid("is missing", "action")
        action = declared.action(document.verb)
        if action is None:
            raise Invalid(f"a {declared.kind} has no action {document.verb[:60]!r}", "action")
        if action.creates:
            return await self._add_by_action(exchange, action)
        if action.of_bytes:
            return await self._on_bytes(exchange, action)
        return await self._act(exchange, action, document)

    async def _action_document(self, exchange: Exchange) -> documents.ActionDocument:
        """Return the Action document; an empty body asks for nothing in particular."""
        edge = exchange.context.edge
        return await self._bodies.document(
            exchange.request, lambda body, media: documents.read_action(body, media, edge), optional=True
        )

    async def _act(self, exchange: Exchange, action: Action, document: documents.ActionDocument) -> web.Response:
        outcome = await exchange.service.act(exchange.context.caller, exchange.path, action.verb, document.parameters)
        return await self._answers.begun(exchange, outcome)

    async def _add_by_action(self, exchange: Exchange, action: Action) -> web.Response:
        """Make what an action creates: its URI takes a Create document, and answers with it (DSP0263 5.14.7)."""
        assert action.creates is not None
        created = type_of(action.creates)
        path = f"{exchange.path}/{action.verb}"
        return await self._add(self._exchange(exchange.request, exchange.context, path, created), by_action=True)

    # Bytes

    async def _on_bytes(self, exchange: Exchange, action: Action) -> web.StreamResponse:
        caller, path = exchange.context.caller, exchange.path
        if action.takes_bytes:
            return await self._upload(exchange, action)
        content = await exchange.service.readable(caller, path, action.verb, dict(exchange.context.parameters))
        return await self._transfers.give(exchange, action, content)

    async def _upload(self, exchange: Exchange, action: Action) -> web.Response:
        """Take bytes by PUT; tell by GET and HEAD how many are here."""
        target = await exchange.service.writable(exchange.context.caller, exchange.path, action.verb)
        outcome, received = None, target.received
        if exchange.request.method == "PUT":
            outcome, received = await self._transfers.take_part(exchange.request, target)
        if outcome is not None:
            response = await self._answers.changed(exchange, outcome)
        else:
            response = await self._answers.state(exchange, target.resource)
        response.headers["Upload-Offset"] = str(received)
        return response


def _takes_action_documents(declared: ResourceType) -> bool:
    """Return whether Action documents may be posted to a resource of the type."""
    return any(not action.of_bytes for action in declared.actions)


def _allowed(declared: ResourceType) -> tuple[str, ...]:
    acts = _takes_action_documents(declared)
    offered = (("PUT", declared.editable), ("DELETE", declared.deletable), ("POST", acts))
    return (*READS, *(method for method, given in offered if given))
