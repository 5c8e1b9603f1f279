"""``cimi-gateway token``: what programs come in by, in place of a password."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from gateway import users
from gateway.cli.account_types import ShownToken, TokenWish
from gateway.cli.accounts import accounts_of
from gateway.cli.common import config_option, plainly, settings_of
from gateway.clock import now
from gateway.plain_text import printable

SPAN = re.compile(r"([0-9]{1,6})([smhdw])")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
LONGEST_DAYS = 36_500


def moment_of(text: str) -> datetime:
    """Return the time that is meant: some minutes, hours, days or weeks from now (``30d``), or a date.

    Raises BadParameter for what is no time.
    """
    match = SPAN.fullmatch(text)
    if match is not None:
        seconds = int(match.group(1)) * SECONDS[match.group(2)]
        return now() + timedelta(seconds=min(seconds, LONGEST_DAYS * SECONDS["d"]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time: 12h, 30d, 8w or 2027-01-31") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@click.group()
def token() -> None:
    """Add, list and revoke tokens."""


@token.command()
@click.argument("user")
@click.option("--name", help="What it is for.")
@click.option("--read-only", is_flag=True, help="Let it change nothing.")
@click.option("--role", type=click.Choice(users.ROLES), help="The most that it allows; never more than the user may.")
@click.option("--project", metavar="P", help="The one project in which it counts.")
@click.option(
    "--expires",
    type=moment_of,
    metavar="TIME",
    help="When it ends: 30d, or 2027-01-31; without it, when it is revoked.",
)
@config_option
def add(*, user: str, config: Path, read_only: bool, **limits: str | datetime | None) -> None:
    """Make a token for USER and print it, which nothing does again."""
    wish = TokenWish(user, reads_only=read_only, **limits)  # type: ignore[arg-type]
    with plainly():
        text = accounts_of(settings_of(config)).add_token(wish)
    click.echo(text)


@token.command("list")
@config_option
def list_(config: Path) -> None:
    """List all tokens: whose they are, what they allow, when they end and were used last."""
    with plainly():
        for entry in accounts_of(settings_of(config)).tokens():
            click.echo(_line(entry))


def _line(entry: ShownToken) -> str:
    parts = (
        entry.role and f"at most {entry.role}",
        "read-only" if entry.reads_only else "",
        entry.project and f"in {entry.project}",
        entry.expires and f"until {entry.expires}",
        f"used {entry.last_use}" if entry.last_use else "never used",
    )
    limits = ", ".join(part for part in parts if part)
    return "\t".join(map(printable, (entry.identity, entry.user, entry.name or "-", limits)))


@token.command()
@click.argument("identity", metavar="ID")
@config_option
def revoke(identity: str, config: Path) -> None:
    """Revoke a token: it counts for no later request, and what reads the event stream by it ends."""
    with plainly():
        accounts_of(settings_of(config)).revoke(identity)
    click.echo(f"revoked {identity}")
