"""``cimi-gateway jobs``: what the gateway does and did, read beside the running daemon."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import click

from gateway.cimi.job import FINAL_JOB_STATES
from gateway.cli.common import config_option, store_reader

LOOK_EVERY = 0.3
NEWEST = 50
"""Lines that the log of all jobs begins with."""


@click.group()
def jobs() -> None:
    """List, show and follow jobs."""


def _job(connection: sqlite3.Connection, name: str) -> dict[str, Any]:
    path = name if name.startswith("jobs/") else f"jobs/{name.rpartition('/')[2]}"
    row = connection.execute(
        "SELECT document, owner, created FROM resources WHERE path = ? AND kind = 'Job'", (path,)
    ).fetchone()
    if row is None:
        raise click.ClickException(f"there is no job {name}")
    return {"path": path, "owner": row[1], "created": row[2], **json.loads(row[0])}


@jobs.command("list")
@click.option("--limit", default=20, show_default=True, help="How many, newest first.")
@config_option
def list_(limit: int, config: Path) -> None:
    """List the newest jobs."""
    with store_reader(config) as connection:
        rows = connection.execute(
            "SELECT path, owner, created, document FROM resources WHERE kind = 'Job' AND parent = '' "
            "ORDER BY created DESC LIMIT ?",
            (limit,),
        )
        for path, owner, created, text in rows:
            document = json.loads(text)
            target = document["targetResource"]["href"]
            state = f"{document['state']} {document.get('progress', 0)}%"
            click.echo(f"{created}  {path}  {state:13} {document['action']:8} {target}  {owner}")


@jobs.command()
@click.argument("job")
@config_option
def show(job: str, config: Path) -> None:
    """Show a job and its log."""
    with store_reader(config) as connection:
        for name, value in _job(connection, job).items():
            click.echo(f"{name}: {value if isinstance(value, str) else json.dumps(value)}")
        _print_log(connection, _job(connection, job)["path"], 0)


@jobs.command()
@click.argument("job", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job ends; without a JOB, for ever.")
@config_option
def tail(job: str | None, follow: bool, config: Path) -> None:
    """Print a job's log; without a JOB, the newest lines of all jobs."""
    with store_reader(config) as connection:
        if job is None:
            _tail_all(connection, follow)
        else:
            _tail_one(connection, job, follow)


def _tail_one(connection: sqlite3.Connection, job: str, follow: bool) -> None:
    line = 0
    while True:
        document = _job(connection, job)
        line = _print_log(connection, document["path"], line)
        if not follow or document["state"] in FINAL_JOB_STATES:
            break
        time.sleep(LOOK_EVERY)
    _print_log(connection, document["path"], line)
    click.echo(f"{document['state']}  {document.get('progress', 0)}%  {document.get('statusMessage', '')}".rstrip())


def _tail_all(connection: sqlite3.Connection, follow: bool) -> None:
    (line,) = connection.execute("SELECT coalesce(max(line), 0) - ? FROM job_log", (NEWEST,)).fetchone()
    while True:
        rows = connection.execute(
            "SELECT line, time, level, job, step, message FROM job_log WHERE line > ? ORDER BY line", (line,)
        ).fetchall()
        for number, moment, level, job, step, message in rows:
            click.echo(f"{moment}  {level:7}  {job}  {step}: {message}")
            line = number
        if not follow:
            return
        time.sleep(LOOK_EVERY)


def _print_log(connection: sqlite3.Connection, path: str, after: int) -> int:
    rows = connection.execute(
        "SELECT line, time, level, step, message FROM job_log WHERE job = ? AND line > ? ORDER BY line", (path, after)
    ).fetchall()
    for line, moment, level, step, message in rows:
        click.echo(f"{moment}  {level:7}  {step}: {message}")
        after = line
    return after
