"""The verbs that every kind of resource has: list, show, edit, set and delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import cimi_client
import click

from cimi_command.acting import each, on
from cimi_command.completing import names_of
from cimi_command.editing import edit_resource, set_attributes
from cimi_command.options import Family, output, verb, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column, rows_of, show, show_document
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Resource

F = TypeVar("F", bound=Callable[..., Any])
MOST = 500
"""Items that a list shows unless more are wanted."""


@dataclass(frozen=True)
class Kind:
    """A kind of resources: where they are listed, what people call one, and what of it stands in a table."""

    collection: str
    word: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Listing:
    """A wish for a list: by which filters and in which order, how many at most, and in which form."""

    filters: tuple[str, ...]
    sort: str
    limit: int
    form: str


NAME = Column("NAME", lambda one: one.name)
STATE = Column("STATE", lambda one: one.state)
ID = Column("ID", lambda one: one.key)


def name_of(collection: str) -> Callable[[F], F]:
    """Return the decorator for a verb about one resource, whose name the shell completes."""
    return click.argument("name", shell_complete=names_of(collection))


def names(collection: str) -> Callable[[F], F]:
    """Return the decorator for a verb about several resources, whose names the shell completes."""
    return click.argument("names", nargs=-1, required=True, shell_complete=names_of(collection))


def listing(function: F) -> F:
    """Let a verb take what a list is made by."""
    for option in (
        click.option("--limit", "-n", default=MOST, show_default=True, help="How many at most."),
        click.option("--sort", default="name", show_default=True, help="An attribute; created:desc is newest first."),
        click.option("--filter", "filters", multiple=True, help="A filter of CIMI, such as state='STARTED'."),
    ):
        function = option(function)
    return output(function)


def standard_verbs(family: Family, kind: Kind, *, changing: bool = True) -> None:
    """Give a family the verbs that its kind has as every other."""

    @verb("list", help=f"List the {kind.word}s.")
    @listing
    def list_(filters: tuple[str, ...], sort: str, limit: int, output: str) -> None:
        run(lambda session: list_kind(session, kind, Listing(filters, sort, limit, output)))

    @verb("show", help=f"Show a {kind.word}.")
    @name_of(kind.collection)
    @output
    def show_(name: str, output: str) -> None:
        run(lambda session: show_one(session, kind, name, output))

    family.add_command(list_)
    family.add_command(show_)
    if changing:
        family.add_command(set_verb(kind))
        family.add_command(edit_verb(kind))
        family.add_command(delete_verb(kind))


def set_verb(kind: Kind) -> click.Command:
    """Return the verb that changes attributes of a kind."""

    @verb("set", help=f"Change attributes of a {kind.word}: name=web2 properties.tier=front; name= takes one away.")
    @name_of(kind.collection)
    @click.argument("changes", nargs=-1, required=True, metavar="ATTRIBUTE=VALUE...")
    @waiting
    def set_(name: str, changes: tuple[str, ...], wait: bool) -> None:
        run(lambda session: set_attributes(session, kind.collection, name, changes, wait))

    return set_


def edit_verb(kind: Kind) -> click.Command:
    """Return the verb that changes a resource of a kind in an editor."""

    @verb("edit", help=f"Change a {kind.word} in $EDITOR.")
    @name_of(kind.collection)
    def edit(name: str) -> None:
        run(lambda session: edit_resource(session, kind.collection, name))

    return edit


def delete_verb(kind: Kind) -> click.Command:
    """Return the verb that deletes resources of a kind."""

    @verb("delete", help=f"Delete {kind.word}s.")
    @names(kind.collection)
    @waiting
    def delete(names: tuple[str, ...], wait: bool) -> None:
        run(lambda session: delete_all(session, kind.collection, names, wait))

    return delete


async def list_kind(session: Session, kind: Kind, wanted: Listing) -> None:
    """Print the resources of a kind."""
    items = await listed(session, kind.collection, wanted)
    show(kind.columns, rows_of(kind.columns, items), wanted.form)


async def listed(session: Session, collection: str, wanted: Listing) -> list[Resource]:
    """Return the resources that are to be listed, and say when there are more."""
    if wanted.filters:
        await session.client.demand_filters()
    query = cimi_client.Query(wanted.filters, (wanted.sort,) if wanted.sort else (), first=1, last=wanted.limit)
    page = await session.client.page(collection, query)
    items = list(page.items[: wanted.limit])
    if len(items) < min(page.count, wanted.limit):
        rest = cimi_client.Query(query.filters, query.order, first=len(items) + 1, last=wanted.limit)
        items += [item async for item in session.client.items(collection, rest, 1000)]
    if page.count > len(items):
        say(f"{len(items)} of {page.count} are shown; --limit shows more")
    return items


async def show_one(session: Session, kind: Kind, name: str, form: str) -> None:
    """Print one resource, in the form of a list for CSV and names."""
    resource = await session.client.find(kind.collection, name)
    if form in ("table", "json"):
        show_document(resource.document, form)
    else:
        show(kind.columns, rows_of(kind.columns, [resource]), form)


async def delete_all(session: Session, collection: str, names: tuple[str, ...], wait: bool) -> None:
    """Delete resources by their names."""
    client = session.client
    await each(session, "delete", names, on(lambda name: client.find(collection, name), client.delete), wait)
