"""``cimi list``, ``show``, ``edit`` and ``set``: Machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command import units
from cimi_command.kinds import ID, NAME, STATE, Kind, Listing, edit_verb, listed, listing, name_of, set_verb, show_one
from cimi_command.options import output, verb
from cimi_command.session import Session, run
from cimi_command.tables import Column, Row
from cimi_command.tables import show as show_table
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Resource

MOST_ADDRESSES = 1000
"""Addresses that are looked at for a list: one request, however many there are."""
CPU = Column("CPU", lambda one: one.text("cpu"), right=True)
MEMORY = Column("MEMORY", lambda one: units.binary(one.number("memory"), 1024), right=True)
KIND = Kind("machines", "Machine", (NAME, STATE, CPU, MEMORY, ID))
HEADS = ("NAME", "STATE", "CPU", "MEMORY", "ADDRESS", "ID")


@verb("list")
@listing
@click.option("--columns", help=f"Which columns, between commas: {', '.join(HEADS).lower()}, created, description.")
def list_(filters: tuple[str, ...], sort: str, limit: int, output: str, columns: str | None) -> None:
    """List the Machines with their addresses."""
    heads = HEADS if columns is None else tuple(head.strip().upper() for head in columns.split(","))
    unknown = set(heads) - {*HEADS, "CREATED", "DESCRIPTION"}
    if unknown:
        raise click.UsageError(f"there is no column {', '.join(sorted(unknown)).lower()}")
    run(lambda session: _list(session, Listing(filters, sort, limit, output), heads))


async def _list(session: Session, wanted: Listing, heads: tuple[str, ...]) -> None:
    machines = await listed(session, "machines", wanted)
    addresses = await addresses_by_machine(session) if "ADDRESS" in heads and wanted.form != "name" else {}
    named = {column.head: column for column in KIND.columns}
    named["ADDRESS"] = Column("ADDRESS", lambda one: " ".join(addresses.get(one.id, ())))
    named["CREATED"] = Column("CREATED", lambda one: one.text("created"))
    named["DESCRIPTION"] = Column("DESCRIPTION", lambda one: one.text("description"))
    columns = [named[head] for head in heads]
    rows = [
        Row(
            [column.value(one) for column in columns],
            {**one.document, **({"addresses": addresses[one.id]} if one.id in addresses else {})},
            one.name or one.key,
        )
        for one in machines
    ]
    show_table(columns, rows, wanted.form)


async def addresses_by_machine(session: Session) -> dict[str, list[str]]:
    """Return the IP addresses that Machines use, by their URLs; nothing of a provider that has no Addresses."""
    entry = await session.client.entry_point()
    if entry.href("addresses") is None:
        return {}
    page = await session.client.page("addresses", cimi_client.Query(first=1, last=MOST_ADDRESSES))
    if page.count > len(page.items):
        say(f"{len(page.items)} of {page.count} addresses are looked at")
    used: dict[str, list[str]] = {}
    for address in page.items:
        interface, ip = address.href("resource"), address.text("ip")
        if interface and ip:
            used.setdefault(owner_of(interface), []).append(ip)
    return used


def owner_of(interface: str) -> str:
    """Return the URL of the Machine of an interface."""
    return interface.rpartition("/networkInterfaces/")[0] or interface


@verb()
@name_of("machines")
@output
def show(name: str, output: str) -> None:
    """Show a Machine."""
    run(lambda session: show_one(session, KIND, name, output))


edit = edit_verb(KIND)
set_ = set_verb(KIND)


async def find(session: Session, name: str) -> Resource:
    """Return a Machine by its name, id or URL."""
    return await session.client.find("machines", name)
