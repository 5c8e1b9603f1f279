"""``cimi project``: what resources are in, and which users share it (an extension of some providers)."""

from __future__ import annotations

import cimi_client
import click

from cimi_command.kinds import ID, NAME, Kind, delete_verb, name_of, standard_verbs
from cimi_command.making import make
from cimi_command.options import Family, output, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column, rows_of, show
from cimi_command.words import say

ROLES = ("admin", "operator", "viewer")
KIND = Kind("projects", "project", (NAME, Column("DESCRIPTION", lambda one: one.text("description")), ID))
MEMBERS = (Column("USER", lambda one: one.text("userName")), Column("ROLE", lambda one: one.text("role")), ID)


@click.group(cls=Family)
def project() -> None:
    """Projects: what resources are in, and which users share it."""


standard_verbs(project, KIND, changing=False)
project.add_command(delete_verb(KIND))


@project.command()
@click.argument("name")
@waiting
def create(name: str, wait: bool) -> None:
    """Make a project called NAME."""
    run(lambda session: make(session, "projects", {"name": name}, wait=wait))


@project.command()
@name_of("projects")
@output
def members(name: str, output: str) -> None:
    """List the users who have a role in the project NAME."""

    async def work(session: Session) -> None:
        items = [one async for one in session.client.items(await _members(session, name))]
        show(MEMBERS, rows_of(MEMBERS, items), output)

    run(work)


@project.command()
@name_of("projects")
@click.argument("member", metavar="USER")
@click.option("--role", type=click.Choice(ROLES), required=True, help="An admin of it also chooses its members.")
def grant(name: str, member: str, role: str) -> None:
    """Give USER a role in the project NAME, in place of the one that they have."""

    async def work(session: Session) -> None:
        collection = await _members(session, name)
        entry = await _member(session, collection, member)
        if entry is None:
            document: cimi_client.Document = {"userName": member, "role": role}
            await session.client.create(collection, document)
        else:
            await session.client.edit(entry, {"role": role})
        say(f"{member} is {role} of {name}")

    run(work)


@project.command()
@name_of("projects")
@click.argument("member", metavar="USER")
def revoke(name: str, member: str) -> None:
    """Take the role that USER has in the project NAME."""

    async def work(session: Session) -> None:
        entry = await _member(session, await _members(session, name), member)
        if entry is None:
            raise cimi_client.CimiError(f"{member} has no role in {name}")
        await session.client.delete(entry)
        say(f"{member} has no role in {name} any more")

    run(work)


async def _members(session: Session, name: str) -> str:
    """Return the URL of the members of a project."""
    project_ = await session.client.find("projects", name)
    href = project_.href("members")
    if href is None:
        raise cimi_client.NotOffered(f"{project_.id} has no members")
    return href


async def _member(session: Session, collection: str, user: str) -> cimi_client.Resource | None:
    async for one in session.client.items(collection):
        if one.text("userName") == user:
            return one
    return None
