"""``cimi job``: what the provider does and did."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from cimi_client import Resource


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
    """Print the log of JOB, or how far the newest Jobs are; with -f the logs of all as they are written."""
    from cimi_command.tailing import tail_jobs

    run(lambda session: tail_jobs(session, job, follow))
