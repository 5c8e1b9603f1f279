"""``cimi-gateway jobs``: what the gateway does and did, read beside the running daemon.

From elsewhere (``--url``) ``tail`` follows the live stream over HTTP.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cimi.job import FINAL_JOB_STATES
from gateway.cli.common import config_option, say, store_reader
from gateway.cli.remote import RemoteGateway, remote_options
from gateway.store.offline import OfflineJob, OfflineStore

if TYPE_CHECKING:
    from cimi_command.session import Session

LOOK_EVERY = 0.3
NEWEST = 50
"""Lines that the log of all jobs begins with."""


@click.group()
def jobs() -> None:
    """List, show and follow jobs."""


def _job(store: OfflineStore, name: str) -> OfflineJob:
    path = name if name.startswith("jobs/") else f"jobs/{name.rpartition('/')[2]}"
    job = store.job(path)
    if job is None:
        raise click.ClickException(f"there is no job {name}")
    return job


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@config_option
def list_(limit: int, config: Path) -> None:
    """List the newest jobs."""
    with store_reader(config) as store:
        for job in store.newest_jobs(limit):
            document = job.document
            target = document["targetResource"]["href"]
            state = f"{document['state']} {document.get('progress', 0)}%"
            say(f"{job.created}  {job.path}  {state:13} {document['action']:8} {target}  {job.project}")


@jobs.command()
@click.argument("job")
@config_option
def show(job: str, config: Path) -> None:
    """Show a job and its log."""
    with store_reader(config) as store:
        path, project, created, document = _job(store, job)
        for name, value in {"path": path, "project": project, "created": created, **document}.items():
            say(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")
        _print_log(store, path, 0)


@jobs.command()
@click.argument("job", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends; without a JOB, for ever.")
@remote_options
@config_option
def tail(job: str | None, follow: bool, remote: RemoteGateway | None, config: Path) -> None:
    """Print a job's log; without a JOB, the newest lines of all jobs. With --url, as their user may see them."""
    if remote is not None:
        _print_remote(remote, job, follow)
        return
    with store_reader(config) as store:
        if job is None:
            _tail_all(store, follow)
        else:
            _tail_one(store, job, follow)


def _tail_one(store: OfflineStore, name: str, follow: bool) -> None:
    line = 0
    while True:
        job = _job(store, name)
        line = _print_log(store, job.path, line)
        if not follow or job.document["state"] in FINAL_JOB_STATES:
            break
        time.sleep(LOOK_EVERY)
    _print_log(store, job.path, line)
    document = job.document
    say(f"{document['state']}  {document.get('progress', 0)}%  {document.get('statusMessage', '')}".rstrip())


def _tail_all(store: OfflineStore, follow: bool) -> None:
    line = store.line_before_newest(NEWEST)
    while True:
        for job, entry in store.lines_of_all(line):
            say(f"{entry.time}  {entry.level:7}  {job}  {entry.step}: {entry.message}")
            line = entry.line
        if not follow:
            return
        time.sleep(LOOK_EVERY)


def _print_log(store: OfflineStore, path: str, after: int) -> int:
    """Print a Job's log after a line, and return the last line."""
    for entry in store.log_lines(path, after):
        say(f"{entry.time}  {entry.level:7}  {entry.step}: {entry.message}")
        after = entry.line
    return after


def _print_remote(gateway: RemoteGateway, job: str | None, follow: bool) -> None:
    """Print a line for each change of a Job over HTTP; a Job that is named is followed to its end."""

    async def work(session: Session) -> None:
        from cimi_command.tailing import tail_jobs

        await tail_jobs(session, job, follow)

    gateway.run(work)
