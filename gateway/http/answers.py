"""Answers in documents: a representation, a change with its Job, an action's Job."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from gateway.cimi.query import QueryOptions
from gateway.errors import GatewayError, NotFound, status_of
from gateway.http.representation import Encoded, Representations
from gateway.http.request import CONTENT_TYPES, Context, Exchange, header, names_tag, seconds_to_wait
from gateway.jobs.records import ended
from gateway.jobs.runner import JobRunner
from gateway.orchestration.common.contract import Outcome
from gateway.store.model import Resource

Current = Callable[[str], Awaitable[Resource | None]]
"""From a path to the resource as it is now; None when it is gone."""


class Answers:
    """The maker of answers. ``answer_wait`` is the seconds that a change waits for its Job by itself."""

    def __init__(
        self, runner: JobRunner, current: Current, representations: Representations, answer_wait: float
    ) -> None:
        self._runner = runner
        self._current = current
        self._representations = representations
        self._answer_wait = answer_wait

    async def patience(self, exchange: Exchange) -> dict[str, str]:
        """Wait until the Job that is to be read has ended, or as long as the client prefers.

        Returns the header that says so; nothing where the client prefers nothing.
        """
        seconds, applied = seconds_to_wait(header(exchange.request, "Prefer"), 0)
        if applied is None:
            return {}
        with suppress(NotFound):
            await self._runner.wait(exchange.path, seconds)
        return {"Preference-Applied": applied}

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
            return _response(context, _status_of(job), await self._job_body(context, job), headers)
        resource = await self._current(outcome.resource.path) if outcome.resource is not None else None
        if created and outcome.resource is not None:
            headers["Location"] = exchange.context.edge.to_uri(outcome.resource.path)
        status = (201 if created and not outcome.existing else 200) if over else 202
        if resource is None:
            return _response(context, status, await self._job_body(context, job), headers)
        whole = resource.with_document(**outcome.shown_once) if outcome.shown_once else resource
        body, tag = await self._representations.resource(context, whole, QueryOptions())
        return _response(context, status, body, {**headers, "ETag": tag})

    async def begun(self, exchange: Exchange, outcome: Outcome) -> web.Response:
        """Return the answer to an action: its Job, as it is now, or after as much waiting as the client prefers.

        It is 202 for who prefers nothing, and while the Job runs; else 200, or the status that the failed Job has.
        """
        seconds, applied = seconds_to_wait(header(exchange.request, "Prefer"), 0)
        job = await self._runner.wait(outcome.job, seconds)
        headers = {"CIMI-Job-URI": exchange.context.edge.to_uri(outcome.job)}
        if applied is not None:
            headers["Preference-Applied"] = applied
        if outcome.location is not None:
            headers["Location"] = exchange.context.edge.to_uri(outcome.location)
        status = 202
        if seconds and ended(job):
            status = 200 if job.state == "SUCCESS" else _status_of(job)
        return _response(exchange.context, status, await self._job_body(exchange.context, job), headers)

    async def _job_body(self, context: Context, job: Resource) -> bytes:
        return (await self._representations.resource(context, job, QueryOptions()))[0]


def _status_of(job: Resource) -> int:
    """Return the HTTP status of a Job that has failed."""
    return status_of(job.document.get("returnCode", GatewayError.return_code))


def _response(context: Context, status: int, body: bytes, headers: dict[str, str]) -> web.Response:
    return web.Response(status=status, body=body, content_type=CONTENT_TYPES[context.media], headers=headers)
