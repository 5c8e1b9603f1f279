"""The generic handlers: read, list, add, edit, delete, act. One set for all types (DSP0263 4.1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiohttp import web

from gateway.cimi import documents
from gateway.cimi.query import QueryOptions, parse_query, selected
from gateway.cimi.registry import CLOUD_ENTRY_POINT, acting_collection_at, collection_at, type_at
from gateway.cimi.resource_type import Action, ResourceType
from gateway.errors import (
    Conflict,
    GatewayError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    PreconditionFailed,
    status_of,
)
from gateway.http import conditions, image_bytes, packages
from gateway.http.audit import Audit
from gateway.http.bodies import Bodies
from gateway.http.context import Context, header
from gateway.http.negotiation import CONTENT_TYPES
from gateway.http.representation import Representations
from gateway.http.waiting import seconds_to_wait
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.orchestration.common.contract import Outcome
from gateway.orchestration.common.permissions import demand, demand_any
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.images.service import ImageService
from gateway.orchestration.jobs.service import JobService
from gateway.orchestration.machines.service import MachineService
from gateway.orchestration.systems.packages.service import PackagedService
from gateway.store.model import Resource

CONSOLE_BYTES = 65_536
MOST_CONSOLE_BYTES = 1_048_576
EDIT_TRIES = 5


class Handlers:
    def __init__(
        self,
        services: dict[str, ResourceService],
        runner: JobRunner,
        answer_wait: float,
        bodies: Bodies,
        audit: Audit,
    ) -> None:
        self._services = services
        self._audit = audit
        self._runner = runner
        self._answer_wait = answer_wait
        self._bodies = bodies
        self._representations = Representations(services)

    async def handle(self, request: web.Request, context: Context, path: str) -> web.StreamResponse:
        """Find what the path means, and do what the method asks. Raises gateway.errors."""
        path = path.rstrip("/") or CLOUD_ENTRY_POINT.segment
        owner, _, verb = path.rpartition("/")
        acting = acting_collection_at(path)
        if acting is not None:
            return await self._on_collection_action(request, context, owner, *acting)
        described = collection_at(path)
        if described is not None:
            return await self._on_collection(request, context, path, described)
        described = type_at(path)
        if described is not None:
            return await self._on_resource(request, context, path, described)
        described = type_at(owner) if owner else None
        if described is None or described.action(verb) is None:
            raise NotFound("there is nothing at this URL")
        return await self._on_action(request, context, owner, described, verb)

    # Collections

    async def _on_collection(
        self, request: web.Request, context: Context, path: str, described: ResourceType
    ) -> web.Response:
        parent = await self._representations.parent(context, path)
        if request.method in ("GET", "HEAD"):
            options = parse_query(context.parameters, described, context.edge.base)
            encoded = await self._representations.collection(context, path, parent, options)
            return self._read(request, context, encoded)
        addable = described.addable
        allow = ("GET", "HEAD", "POST") if addable else ("GET", "HEAD")
        if request.method != "POST" or not addable:
            raise MethodNotAllowed(f"a collection of {described.kind} does not take {request.method}", allow)
        demand(context.known_caller.role, described.kind, "add")
        document = await self._bodies.document(
            request, lambda body, media: documents.read_create(described.kind, body, media, context.edge)
        )
        outcome = await self._services[described.kind].add(context.known_caller, path, document)
        return await self._answer(request, context, outcome, created=True)

    async def _on_collection_action(
        self, request: web.Request, context: Context, path: str, described: ResourceType, action: Action
    ) -> web.Response:
        service = self._services[described.kind]
        if request.method not in action.methods:
            raise MethodNotAllowed(f"{action.verb} is asked for by {action.method}", action.methods)
        demand(context.known_caller.role, described.kind, action.verb)
        if isinstance(service, PackagedService) and packages.is_package(request, action):
            outcome = await packages.import_sent(request, service, context, path)
        else:
            document = await self._action(request, context)
            outcome = await service.act_on_collection(context.known_caller, path, action.verb, document.parameters)
        return await self._begun(context, outcome)

    # Resources

    async def _on_resource(
        self, request: web.Request, context: Context, path: str, described: ResourceType
    ) -> web.StreamResponse:
        service = self._services[described.kind]
        if request.method in ("GET", "HEAD"):
            resource = await service.read(context.known_caller, path)
            options = (
                parse_query(context.parameters, described, context.edge.base) if context.parameters else QueryOptions()
            )
            return self._read(request, context, await self._representations.resource(context, resource, options))
        if request.method == "PUT" and described.editable:
            return await self._edit(request, context, path, described)
        if request.method == "DELETE" and described.deletable:
            version = await self._required_version(request, context, path, described)
            outcome = await service.delete(context.known_caller, path, version)
            return await self._answer(request, context, outcome)
        if request.method == "POST" and any(not action.of_bytes for action in described.actions):
            return await self._on_action(request, context, path, described, None)
        raise MethodNotAllowed(f"a {described.kind} does not take {request.method}", _allowed(described))

    async def _edit(self, request: web.Request, context: Context, path: str, described: ResourceType) -> web.Response:
        await self._services[described.kind].to_change(context.known_caller, path, "edit")
        await self._required_version(request, context, path, described)
        names = selected(context.parameters)
        document = await self._bodies.document(
            request, lambda body, media: documents.read_edit(described.kind, body, media, context.edge, names)
        )
        outcome = await self._edited(request, context, path, described, document, names)
        return await self._answer(request, context, outcome)

    async def _edited(
        self,
        request: web.Request,
        context: Context,
        path: str,
        described: ResourceType,
        document: dict[str, Any],
        names: frozenset[str] | None,
    ) -> Outcome:
        """A change that comes between, as when a guest changes its state, stops only those who gave a tag."""
        for _ in range(EDIT_TRIES):
            version = await self._required_version(request, context, path, described)
            try:
                return await self._services[described.kind].edit(context.known_caller, path, document, names, version)
            except PreconditionFailed:
                if version is not None:
                    raise
        raise Conflict(f"this {described.kind} is being changed all the time; try again later")

    async def _required_version(
        self, request: web.Request, context: Context, path: str, described: ResourceType
    ) -> int | None:
        """The version that If-Match means; PreconditionFailed when it, or If-None-Match, forbids the change."""
        wanted, unwanted = header(request, "If-Match"), header(request, "If-None-Match")
        if wanted is None and unwanted is None:
            return None
        resource = await self._services[described.kind].read(context.known_caller, path)
        tags = await self._tags(context, described, resource)
        if wanted is not None and not conditions.names(wanted, tags):
            raise PreconditionFailed("If-Match: the resource was changed since; read it again")
        if unwanted is not None and conditions.names(unwanted, tags, weakly=True):
            raise PreconditionFailed("If-None-Match: the resource is the one that was not to be changed")
        return resource.version if wanted is not None and wanted.strip() != conditions.ANY else None

    async def _tags(self, context: Context, described: ResourceType, resource: Resource) -> set[str]:
        """Of every representation that a client may have read: in both formats, whole or by the same query."""
        queries = {QueryOptions(), parse_query(context.parameters, described, context.edge.base)}
        seen = [replace(context, media=media) for media in CONTENT_TYPES]
        return {
            (await self._representations.resource(view, resource, options))[1] for view in seen for options in queries
        }

    # Actions

    async def _on_action(
        self, request: web.Request, context: Context, path: str, described: ResourceType, verb: str | None
    ) -> web.StreamResponse:
        service = self._services[described.kind]
        action = described.action(verb) if verb is not None else None
        if action is None or not action.makes or context.known_caller.idempotency_key is None:
            # What makes something is answered once more also when this resource is gone.
            await service.read(context.known_caller, path)
        if action is not None and request.method not in action.methods:
            raise MethodNotAllowed(f"{verb} is asked for by {action.method}", action.methods)
        if action is not None and action.of_bytes:
            return await self._on_bytes(request, context, path, service, action)
        operations = [verb] if verb is not None else [entry.verb for entry in described.actions]
        demand_any(context.known_caller.role, described.kind, operations)
        await self._required_version(request, context, path, described)
        if action is not None and action.creates:
            return await self._create_by_action(request, context, f"{path}/{verb}", action.creates)
        document = await self._action(request, context)
        verb = verb or document.verb
        if verb is None:
            raise Invalid("is missing", "action")
        action = described.action(verb)
        if action is None:
            raise Invalid(f"a {described.kind} has no action {verb[:60]!r}", "action")
        if action.creates:
            return await self._create_by_action(request, context, f"{path}/{verb}", action.creates)
        if action.of_bytes:
            return await self._on_bytes(request, context, path, service, action)
        outcome = await service.act(context.known_caller, path, verb, document.parameters)
        return await self._begun(context, outcome)

    async def _action(self, request: web.Request, context: Context) -> documents.ActionDocument:
        """The Action document; an empty body asks for nothing in particular."""
        return await self._bodies.document(
            request, lambda body, media: documents.read_action(body, media, context.edge), optional=True
        )

    async def _begun(self, context: Context, outcome: Outcome) -> web.Response:
        """The answer to an action: its Job, as it is now."""
        job = await self._runner.wait(outcome.job, 0)
        headers = {"CIMI-Job-URI": context.edge.to_uri(outcome.job)}
        if outcome.location is not None:
            headers["Location"] = context.edge.to_uri(outcome.location)
        return self._response(context, 202, await self._job_body(context, job), headers)

    async def _create_by_action(self, request: web.Request, context: Context, path: str, kind: str) -> web.Response:
        """An action whose URI takes a Create document, and answers with what it makes (DSP0263 5.14.7)."""
        demand(context.known_caller.role, kind, "add")
        document = await self._bodies.document(
            request,
            lambda body, media: documents.read_create(kind, body, media, context.edge, by_action=True),
            optional=True,
        )
        outcome = await self._services[kind].add(context.known_caller, path, document)
        return await self._answer(request, context, outcome, created=True)

    # What takes or gives bytes

    async def _on_bytes(
        self, request: web.Request, context: Context, path: str, service: ResourceService, action: Action
    ) -> web.StreamResponse:
        if isinstance(service, MachineService):
            return await self._console(context, path, service)
        if isinstance(service, JobService):
            return await packages.download(request, service, context, path, self._audit)
        assert isinstance(service, ImageService)
        if action.verb == "download":
            return await image_bytes.download(request, service, context, path, self._audit)
        return await self._upload(request, context, path, service)

    async def _console(self, context: Context, path: str, service: MachineService) -> web.Response:
        wanted = dict(context.parameters).get("limit", "")
        limit = int(wanted) if wanted.isdecimal() and len(wanted) < 9 else CONSOLE_BYTES
        text = await service.console(context.known_caller, path, min(limit, MOST_CONSOLE_BYTES))
        await self._audit.taken(context.known_caller, path, "console")
        return web.Response(body=text, content_type="text/plain", charset="utf-8")

    async def _upload(
        self, request: web.Request, context: Context, path: str, service: ImageService
    ) -> web.StreamResponse:
        """Takes bytes by PUT; GET and HEAD tell how many are here."""
        if request.method == "PUT":
            outcome, image, offset = await image_bytes.upload(request, service, context, path)
        else:
            outcome = None
            image, offset = await service.received(context.known_caller, path)
        if outcome is not None:
            response = await self._answer(request, context, outcome)
        else:
            body, _tag = await self._representations.resource(context, image, QueryOptions())
            response = self._response(context, 200, body, {})
        response.headers["Upload-Offset"] = str(offset)
        return response

    # Answers

    async def _answer(
        self, request: web.Request, context: Context, outcome: Outcome, *, created: bool = False
    ) -> web.Response:
        seconds, applied = seconds_to_wait(header(request, "Prefer"), self._answer_wait)
        job = await self._runner.wait(outcome.job, 0 if outcome.finished else seconds)
        headers = {"CIMI-Job-URI": context.edge.to_uri(outcome.job)}
        if applied is not None:
            headers["Preference-Applied"] = applied
        if ended(job) and job.state != "SUCCESS":
            status = status_of(job.document.get("returnCode", GatewayError.return_code))
            return self._response(context, status, await self._job_body(context, job), headers)
        resource = await self._now(outcome)
        if created and outcome.resource is not None:
            headers["Location"] = context.edge.to_uri(outcome.resource.path)
        made = created and not outcome.existing
        status = (201 if made else 200) if ended(job) else 202
        if resource is None:
            return self._response(context, status, await self._job_body(context, job), headers)
        body, tag = await self._representations.resource(context, resource, QueryOptions())
        return self._response(context, status, body, {**headers, "ETag": tag})

    async def _now(self, outcome: Outcome) -> Resource | None:
        if outcome.resource is None:
            return None
        return await self._services[outcome.resource.kind].store.get(outcome.resource.path)

    async def _job_body(self, context: Context, job: Resource) -> bytes:
        return (await self._representations.resource(context, job, QueryOptions()))[0]

    def _read(self, request: web.Request, context: Context, encoded: tuple[bytes, str]) -> web.Response:
        body, tag = encoded
        known = header(request, "If-None-Match")
        if known is not None and conditions.names(known, (tag,), weakly=True):
            return web.Response(status=304, headers={"ETag": tag})
        return self._response(context, 200, body, {"ETag": tag})

    def _response(self, context: Context, status: int, body: bytes, headers: dict[str, str]) -> web.Response:
        return web.Response(status=status, body=body, content_type=CONTENT_TYPES[context.media], headers=headers)


def _allowed(described: ResourceType) -> tuple[str, ...]:
    acts = any(not action.of_bytes for action in described.actions)
    offered = (("PUT", described.editable), ("DELETE", described.deletable), ("POST", acts))
    return ("GET", "HEAD", *(method for method, given in offered if given))
