"""``cimi-gateway jobs``: what the gateway does and did, read beside the running daemon.

From elsewhere (``--url``) ``tail`` follows the live stream over HTTP: Jobs as they go on, without the lines of their
logs, which the standard has no place for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gateway.cimi.job import FINAL_JOB_STATES
from gateway.cli.common import config_option, say, store_reader
from gateway.cli.remote import Message, RemoteGateway, remote_options
from gateway.store.offline import OfflineJob, OfflineStore

LOOK_EVERY = 0.3
NEWEST = 50
"""Lines that the log of all jobs begins with."""
REMEMBERED = 1000
"""Jobs whose last line is known, so that none is printed twice."""


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
            say(f"{job.created}  {job.path}  {state:13} {document['action']:8} {target}  {job.owner}")


@jobs.command()
@click.argument("job")
@config_option
def show(job: str, config: Path) -> None:
    """Show a job and its log."""
    with store_reader(config) as store:
        path, owner, created, document = _job(store, job)
        for name, value in {"path": path, "owner": owner, "created": created, **document}.items():
            say(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")
        _print_log(store, path, 0)


@jobs.command()
@click.argument("job", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends; without a JOB, for ever.")
@remote_options
@config_option
def tail(job: str | None, follow: bool, remote: RemoteGateway | None, config: Path) -> None:
    """Print a job's log; without a JOB, the newest lines of all jobs. With --url, how far jobs have come."""
    if remote is not None:
        try:
            for line in _remote_lines(remote, job, follow):
                say(line)
        except KeyboardInterrupt:
            return
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


# Over HTTP


def _remote_lines(gateway: RemoteGateway, job: str | None, follow: bool) -> Iterator[str]:
    """Yield a line for each change of a Job over HTTP; a Job that is named is followed to its end."""
    newest = gateway.newest_event() if follow else ""
    past = [_remote_job(gateway, job)] if job is not None else _newest_jobs(gateway)
    printed: dict[str, str] = {}
    for document in past:
        printed[document["id"]] = _line_of(document)
        yield printed[document["id"]]
    if not follow or (job is not None and past[0]["state"] in FINAL_JOB_STATES):
        return
    for message in gateway.follow(newest):
        change = _job_of(gateway, message, past[0]["id"] if job is not None else None)
        if change is None or printed.get(change["id"]) == _line_of(change):
            continue
        printed[change["id"]] = _line_of(change)
        yield printed[change["id"]]
        if job is not None and change["state"] in FINAL_JOB_STATES:
            return
        if len(printed) > REMEMBERED:
            del printed[next(iter(printed))]


def _job_of(gateway: RemoteGateway, message: Message, only: str | None) -> dict[str, Any] | None:
    """Return the Job that a message is about; None for another one than ``only``.

    The message about a Job that ended while the connection was broken is its Event.
    """
    if message.event == "gap":
        say(f"{message.data['lost']} events before are not kept any more", err=True)
        return gateway.read(only) if only is not None else None
    if message.event == "job":
        return message.data if only in (None, message.data["id"]) else None
    content = message.data["content"]
    href = content.get("resource", {}).get("href", "")
    if content.get("state") not in FINAL_JOB_STATES or only not in (None, href):
        return None
    return _ended(gateway, href) if str(content.get("resType", "")).endswith("/Job") else None


def _ended(gateway: RemoteGateway, href: str) -> dict[str, Any] | None:
    """Return the Job; None when it is deleted since."""
    try:
        return gateway.read(href)
    except click.ClickException:
        return None


def _remote_job(gateway: RemoteGateway, name: str) -> dict[str, Any]:
    return gateway.read(name if "://" in name else f"jobs/{name.rpartition('/')[2]}")


def _newest_jobs(gateway: RemoteGateway) -> list[dict[str, Any]]:
    jobs = gateway.read()["jobs"]["href"]
    newest: list[dict[str, Any]] = gateway.read(f"{jobs}?$orderby=created:desc&$last={NEWEST}").get("jobs", [])
    return newest[::-1]


def _line_of(job: dict[str, Any]) -> str:
    """Return a Job as a line: when, which Job, how far it is, what it does, and what there is to say."""
    name, target = ("/".join(href.rsplit("/", 2)[-2:]) for href in (job["id"], job["targetResource"]["href"]))
    state = f"{job['state']} {job.get('progress', 0)}%"
    parts = (job.get("timeOfStatusChange", ""), name, f"{state:13}", f"{job['action']:8}", target)
    return "  ".join((*parts, job.get("statusMessage", ""))).rstrip()
