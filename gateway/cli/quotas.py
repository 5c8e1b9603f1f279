"""``cimi-gateway quota``: what projects have, and how much they may have.

It reads and writes the store on the host, also beside the daemon, which looks there at each check.
"""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from gateway.cli.common import config_option, say, settings_of, store_path
from gateway.config import Settings
from gateway.plain_text import printable_json
from gateway.quotas import BY_NAME, HOST, PROJECT, QUOTAS, USER
from gateway.store.audit import AuditEntry
from gateway.store.usage import Allowance, Usage, project_names, read_usage, set_allowances

UNLIMITED, DEFAULT = "unlimited", "default"
SUFFIXES = {"K": 1, "M": 2, "G": 3, "T": 4}
"""Powers of 1024, of the bytes of a quota that has such a unit, else of what it counts."""
KIB = 1024


@click.group()
def quota() -> None:
    """Show what projects have and may have, and set it."""


@quota.command()
@click.argument("project", required=False)
@click.option("--user", help="Show what a user has in all projects together.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@config_option
def show(project: str | None, user: str | None, as_json: bool, config: Path) -> None:
    """Show what a PROJECT, or each one, has of each quota, and what it may have; and what the hosts have promised."""
    settings = settings_of(config)
    try:
        names = project_names(store_path(settings))
        holder = _holder(project, user, names) if project is not None or user is not None else None
        rows = read_usage(store_path(settings), holder)
    except sqlite3.Error as error:
        raise click.ClickException(f"{settings.store.path}: {error}") from None
    lines = [{**line, "holder": _named(str(line["holder"]), names)} for line in _lines(rows, settings, holder)]
    if as_json:
        for line in lines:
            say(printable_json(line))
        return
    say(f"{'holder':24}  {'quota':20}  {'used':>16}  {'allowed':>16}")
    for line in lines:
        allowed = UNLIMITED if line["allowed"] is None else str(line["allowed"])
        say(f"{line['holder']:24}  {line['quota']:20}  {line['used']!s:>16}  {allowed:>16}  {line['unit']}".rstrip())


@quota.command("set")
@click.argument("project")
@click.argument("quotas", nargs=-1, required=True, metavar="QUOTA=NUMBER...")
@click.option("--user", "of_user", is_flag=True, help="PROJECT is a user; the quotas are of all projects together.")
@config_option
def set_(project: str, quotas: Sequence[str], of_user: bool, config: Path) -> None:
    """Set how much a PROJECT may have: QUOTA=NUMBER, with K, M, G or T; QUOTA=unlimited; QUOTA=default."""
    settings = settings_of(config)
    allowances = [_allowance(text) for text in quotas]
    if of_user and (live := [entry.quota for entry in allowances if not BY_NAME[entry.quota].counted]):
        raise click.UsageError(f"{live[0]} is a quota of projects only")
    try:
        names = project_names(store_path(settings))
        holder = f"{USER}/{project}" if of_user else _holder(project, None, names)
        set_allowances(store_path(settings), holder, allowances, _entry(holder, quotas))
    except sqlite3.Error as error:
        raise click.ClickException(f"{settings.store.path}: {error}") from None
    say(f"set {' '.join(quotas)} of {project}")


def _lines(rows: Sequence[Usage], settings: Settings, holder: str | None) -> list[dict[str, str | int | None]]:
    """Return the rows to show; of one project also the quotas of which it has nothing yet."""
    kept = {(row.holder, row.quota): row for row in rows}
    if holder is not None:
        counted_only = holder.startswith(f"{USER}/")
        for entry in (entry for entry in QUOTAS if entry.counted or not counted_only):
            kept.setdefault((holder, entry.name), Usage(holder, entry.name, 0, None, own=False))
    units = {entry.name: entry.unit for entry in QUOTAS}
    return [
        {
            "holder": row.holder,
            "quota": row.quota,
            "used": row.used if row.holder.startswith(f"{HOST}/") or BY_NAME[row.quota].counted else None,
            "allowed": row.limit(settings.default_quotas),
            "unit": units.get(row.quota, ""),
        }
        for row in kept.values()
        if row.quota in BY_NAME or row.holder.startswith(f"{HOST}/")
    ]


def _allowance(text: str) -> Allowance:
    """Return what a word of the command line sets. Raises UsageError."""
    name, _, value = text.partition("=")
    if name not in BY_NAME:
        raise click.UsageError(f"{name!r} is no quota; known are {', '.join(BY_NAME)}")
    if value in (UNLIMITED, DEFAULT):
        return Allowance(name, default=value == DEFAULT)
    number, power = (value[:-1], SUFFIXES[value[-1]]) if value[-1:] in SUFFIXES else (value, 0)
    if not (number.isascii() and number.isdecimal() and len(number) < 16):
        raise click.UsageError(f"{text!r}: a whole number, with K, M, G or T, {UNLIMITED} or {DEFAULT}")
    # A quota in KiB is a number of those already.
    power -= 1 if power and BY_NAME[name].unit == "KiB" else 0
    return Allowance(name, int(number) * KIB**power)


def _holder(project: str | None, user: str | None, names: Mapping[str, str]) -> str:
    """Return whose quotas are meant; ``names`` are those of the projects by their ids. Raises UsageError for both."""
    if project is not None and user is not None:
        raise click.UsageError("either a project or --user")
    if project is None:
        return f"{USER}/{user}"
    return f"{PROJECT}/{next((identity for identity, name in names.items() if name == project), project)}"


def _named(holder: str, names: Mapping[str, str]) -> str:
    """Return a holder as people know it: a project by its name."""
    kind, _, identity = holder.partition("/")
    return f"{kind}/{names.get(identity, identity)}" if kind == PROJECT else holder


def _entry(holder: str, quotas: Sequence[str]) -> AuditEntry:
    """Return what the audit log gets: who of the host has set what."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    words = " ".join(quotas)
    return AuditEntry("quota", "Success", holder, user, credential=f"uid {uid}", detail=words)
