"""``cimi job``: what the provider does and did."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command import exits
from cimi_command.acting import each, on
from cimi_command.kinds import Kind, Listing, list_kind, listing, names, show_one
from cimi_command.lines import job_line, last_of, path_of
from cimi_command.options import Family, output, waiting
from cimi_command.progress import bar
from cimi_command.session import Session, run
from cimi_command.tables import Column
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Message, Resource

NEWEST = 20
REMEMBERED = 1000
"""Jobs whose last line is known, so that none is printed twice."""


@click.group(cls=Family)
def job() -> None:
    """List Jobs and follow them."""


def kind(base: str) -> Kind:
    """Return the kind of Jobs of a provider, whose Cloud Entry Point paths are relative to."""
    columns = (
        Column("ID", lambda one: one.key),
        Column("STATE", lambda one: one.state),
        Column("%", lambda one: one.text("progress"), right=True),
        Column("ACTION", lambda one: last_of(one.text("action"))),
        Column("TARGET", lambda one: path_of(one.href("targetResource") or "", base)),
        Column("CREATED", lambda one: one.text("created")),
        Column("MESSAGE", lambda one: one.text("statusMessage")),
    )
    return Kind("jobs", "Job", columns)


@job.command("list")
@listing
def list_(filters: tuple[str, ...], sort: str, limit: int, output: str) -> None:
    """List the Jobs, newest first."""
    order = "created:desc" if sort == "name" else sort
    run(lambda session: list_kind(session, kind(session.client.server.entry), Listing(filters, order, limit, output)))


@job.command()
@click.argument("job")
@output
def show(job: str, output: str) -> None:
    """Show a Job."""
    name = job if "://" in job else last_of(job)
    run(lambda session: show_one(session, kind(session.client.server.entry), name, output))


@job.command()
@click.argument("jobs", nargs=-1, required=True)
def wait(jobs: tuple[str, ...]) -> None:
    """Wait until Jobs have ended; the exit code is 1 when one has failed."""
    run(lambda session: _wait(session, jobs))


async def _wait(session: Session, jobs: tuple[str, ...]) -> None:
    failed = False
    for name in jobs:
        first = await find(session, name)
        with bar(f"job {name}", quiet=session.options.quiet) as tell:
            async for one in cimi_client.followed(session.client, first.id):
                tell(one.progress, 100, one.message)
        click.echo(job_line(one.resource, session.client.server.entry))
        failed = failed or one.state != "SUCCESS"
    if failed:
        raise SystemExit(exits.FAILED)


@job.command()
@names("jobs")
@waiting
def stop(names: tuple[str, ...], wait: bool) -> None:
    """Stop Jobs, which undo what they did."""
    run(lambda session: _stop(session, names, wait))


async def _stop(session: Session, names: tuple[str, ...], wait: bool) -> None:
    client = session.client
    await each(session, "stop", names, on(lambda name: find(session, name), lambda one: client.act(one, "stop")), wait)


async def find(session: Session, name: str) -> Resource:
    """Return a Job by its id, path or URL."""
    return await session.client.find("jobs", name if "://" in name else last_of(name))


@job.command()
@click.argument("job", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the Job ends; without a JOB, until interrupted.")
def tail(job: str | None, follow: bool) -> None:
    """Print how far JOB is, or the newest Jobs."""
    run(lambda session: tail_jobs(session, job, follow))


async def tail_jobs(session: Session, name: str | None, follow: bool) -> None:
    """Print a line for each change of Jobs; a Job that is named is followed to its end."""
    base = session.client.server.entry
    if not follow:
        for one in await _past(session, name):
            click.echo(job_line(one, base))
        return
    async with aclosing(cimi_client.live(session.client)) as messages:
        await anext(messages)
        past = await _past(session, name)
        printed: dict[str, str] = {}
        only = past[0].id if name is not None else None
        async for one in _changes(session, past, messages, only):
            line = job_line(one, base)
            if printed.get(one.id) != line:
                click.echo(line)
            printed[one.id] = line
            if only is not None and cimi_client.Job(one).ended:
                return
            if len(printed) > REMEMBERED:
                del printed[next(iter(printed))]


async def _past(session: Session, name: str | None) -> list[Resource]:
    if name is not None:
        return [await find(session, name)]
    query = cimi_client.Query(order=("created:desc",), first=1, last=NEWEST)
    return list((await session.client.page("jobs", query)).items[::-1])


async def _changes(
    session: Session, past: list[Resource], messages: AsyncIterator[Message], only: str | None
) -> AsyncIterator[Resource]:
    """Yield Jobs as they are now, and then each time that they change."""
    for one in past:
        yield one
    async for message in messages:
        job = await _job_of(session, message, only)
        if job is not None:
            yield job


async def _job_of(session: Session, message: Message, only: str | None) -> Resource | None:
    """Return the Job that a message is about; None for another one than ``only``.

    The message about a Job that ended while the connection was broken is its Event.
    """
    if message.kind == "job":
        return message.resource if only in (None, message.resource.id) else None
    if message.kind == "gap":
        say(f"{message.resource.text('lost')} events before are not kept any more")
        return await session.client.get(only) if only is not None else None
    content = message.resource.part("content")
    href = content.href("resource")
    if href is None or last_of(content.text("resType")) != "Job" or only not in (None, href):
        return None
    try:
        return await session.client.get(href)
    except cimi_client.NotFound:
        return None
