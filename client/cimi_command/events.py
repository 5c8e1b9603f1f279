"""``cimi event``: what happened and happens, and who asked for it."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cimi_client
import click
from cimi_client.text import printable_json

from cimi_command.completing import names_of
from cimi_command.lines import event_line, last_of
from cimi_command.options import Family
from cimi_command.session import Session, run
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Resource

EVERYTHING = "everything"
CHANGES = "changes"
REMEMBERED = 1000
"""Jobs of which is known whether they are about the resource."""


@dataclass(frozen=True)
class Tail:
    """A wish for events: of which resource or log, how many past ones, whether it goes on, and in which form."""

    resource: str | None
    lines: int = 20
    follow: bool = False
    as_json: bool = False
    log: str = EVERYTHING


@click.group(cls=Family)
def event() -> None:
    """Events: what happens to resources, and who asked for it."""


@event.command()
@click.argument("resource", required=False, shell_complete=names_of("machines"))
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many past events.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.option("--changes", is_flag=True, help="Leave out refused requests: the log that is kept longer.")
def tail(resource: str | None, follow: bool, lines: int, as_json: bool, changes: bool) -> None:
    """Print the newest events: of RESOURCE (a Machine's name, or a path such as volumes/ID), or of everything."""
    if changes and resource is not None:
        raise click.UsageError("--changes is about everything, not about one resource")
    wanted = Tail(resource, lines, follow, as_json, CHANGES if changes else EVERYTHING)
    run(lambda session: tail_events(session, wanted))


async def tail_events(session: Session, wanted: Tail) -> None:
    """Print past events, and then those that come."""
    about, log = await _log(session, wanted)
    base = session.client.server.entry
    if not wanted.follow:
        for one in await _past(session, log, wanted):
            _print(one, wanted, base)
        return
    async with aclosing(cimi_client.live(session.client)) as messages:
        await anext(messages)
        past = await _past(session, log, wanted)
        for one in past:
            _print(one, wanted, base)
        printed = [_identity(one) for one in past]
        subject = Subject(session, about, wanted.log)
        async for message in messages:
            if message.kind == "gap":
                say(f"{message.resource.text('lost')} events before are not kept any more")
                continue
            if message.kind == "job":
                subject.note(message.resource)
            new = message.kind == "event" and _identity(message.resource) not in printed
            if new and await subject.has(message.resource):
                _print(message.resource, wanted, base)


async def _log(session: Session, wanted: Tail) -> tuple[str | None, str]:
    """Return the URL of the resource that is meant, and that of its events. Raises NotOffered."""
    client = session.client
    if wanted.resource is None:
        logs = await client.collection("eventLogs")
        return None, f"{logs.rstrip('/')}/{wanted.log}/events"
    resource = await _resource(session, wanted.resource)
    href = resource.href("eventLog")
    if href is None:
        raise cimi_client.NotOffered(f"{resource.id} has no event log; its events are among those of everything")
    events = (await client.get(href)).href("events")
    if events is None:
        raise cimi_client.NotOffered(f"{href} has no events")
    return resource.id, events


async def _resource(session: Session, name: str) -> Resource:
    if "/" in name:
        try:
            return await session.client.get(name)
        except cimi_client.NotFound:
            pass
    return await session.client.find("machines", name)


async def _past(session: Session, log: str, wanted: Tail) -> list[Resource]:
    if wanted.lines <= 0:
        return []
    query = cimi_client.Query(order=("timestamp:desc",), first=1, last=wanted.lines)
    return list((await session.client.page(log, query)).items[::-1])


class Subject:
    """The subject of what is printed: a resource at a URL with its components and Jobs, or all that a log has."""

    def __init__(self, session: Session, about: str | None, log: str) -> None:
        self._client = session.client
        self._about = about
        self._log = log
        self._jobs: dict[str, bool] = {}
        """Of Jobs whether they are about the resource."""

    def note(self, job: Resource) -> None:
        """Remember whether a Job is about the resource: the Event of its end names the Job alone."""
        self._jobs[job.id] = any(
            self._is_part(href) for href in (job.href("targetResource"), *cimi_client.Job(job).affected)
        )
        if len(self._jobs) > REMEMBERED:
            del self._jobs[next(iter(self._jobs))]

    async def has(self, event: Resource) -> bool:
        """Return whether an Event of the stream belongs to what is printed."""
        if self._about is None:
            refused = last_of(event.text("type")) == "access" and event.text("outcome") == "Failure"
            return self._log == EVERYTHING or not refused
        content = event.part("content")
        href = content.href("resource")
        if href is not None and last_of(content.text("resType")) == "Job":
            return await self._has_job(href)
        return self._is_part(href)

    def _is_part(self, href: str | None) -> bool:
        return href is not None and (href == self._about or href.startswith(f"{self._about}/"))

    async def _has_job(self, href: str) -> bool:
        if href not in self._jobs:
            try:
                self.note(await self._client.get(href))
            except cimi_client.NotFound:
                return False
        return self._jobs.get(href, False)


def _identity(event: Resource) -> tuple[str, object]:
    return event.text("timestamp"), event.document.get("content")


def _print(event: Resource, wanted: Tail, base: str) -> None:
    click.echo(printable_json(dict(event.document)) if wanted.as_json else event_line(event.document, base))
