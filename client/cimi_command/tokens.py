"""``cimi token``: what programs come in by, in place of a password (an extension of some providers)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from cimi_command.kinds import ID, NAME, Kind, delete_verb, standard_verbs
from cimi_command.options import Family
from cimi_command.session import Session, run
from cimi_command.tables import Column

if TYPE_CHECKING:
    from cimi_client import Json, Resource

ROLES = ("admin", "operator", "viewer")
SPAN = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)
MINUTES = {"m": 1, "h": 60, "d": 1440, "w": 10_080}


def _limits(one: Resource) -> str:
    reads = "read-only" if str(one.document.get("readOnly", "")).lower() == "true" else ""
    project = one.href("project") or ""
    return " ".join(part for part in (one.text("role"), reads, project.rpartition("/")[2]) if part)


USER = Column("USER", lambda one: one.text("userName"))
LIMITS = Column("LIMITS", _limits)
EXPIRES = Column("EXPIRES", lambda one: one.text("expires"))
USED = Column("LAST USE", lambda one: one.text("lastUse"))
KIND = Kind("tokens", "token", (ID, NAME, USER, LIMITS, EXPIRES, USED))


@click.group(cls=Family)
def token() -> None:
    """Tokens: what programs come in by, in place of a password."""


standard_verbs(token, KIND, changing=False)
token.add_command(delete_verb(KIND), "revoke")


def moment_of(text: str) -> str:
    """Return a time as the standard has it: ``30d`` from now, or what is one already. Raises BadParameter."""
    match = SPAN.fullmatch(text)
    if match is not None:
        moment = datetime.now(UTC) + timedelta(minutes=int(match.group(1)) * MINUTES[match.group(2)])
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]{5,15}Z)?", text, re.ASCII):
        raise click.BadParameter(f"{text!r} is no time: 12h, 30d, 8w or 2027-01-31")
    return text if "T" in text else f"{text}T00:00:00Z"


@token.command()
@click.option("--name", default="", help="What it is for.")
@click.option("--read-only", is_flag=True, help="Let it change nothing.")
@click.option("--role", type=click.Choice(ROLES), help="The most that it allows; never more than its user may.")
@click.option("--project", "in_project", metavar="NAME", help="The one project in which it counts.")
@click.option("--expires", type=moment_of, metavar="TIME", help="30d, or 2027-01-31; without it, for ever.")
def create(name: str, read_only: bool, role: str | None, in_project: str | None, expires: str | None) -> None:
    """Make a token of one's own, and print it: nothing shows it again."""
    wishes: dict[str, Json] = {"name": name, "readOnly": read_only or None, "role": role, "expires": expires}
    document = {key: value for key, value in wishes.items() if value}

    async def work(session: Session) -> None:
        if in_project is not None:
            document["project"] = {"href": (await session.client.find("projects", in_project)).id}
        creation = await session.ask("create a token", session.client.create("tokens", document))
        await session.finish("create a token", creation)
        click.echo(creation.document.text("token"))

    run(work)
