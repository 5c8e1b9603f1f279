"""``cimi credential``: the first user of a new guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cimi_command.kinds import ID, NAME, Kind, standard_verbs
from cimi_command.making import make, text_of
from cimi_command.options import Family, waiting
from cimi_command.session import run
from cimi_command.tables import Column

if TYPE_CHECKING:
    from cimi_client import Document

USER = Column("USER", lambda one: one.text("userName"))
KEY = Column("KEY", lambda one: one.text("key")[:40])
KIND = Kind("credentials", "Credential", (NAME, USER, KEY, ID))


@click.group(cls=Family)
def credential() -> None:
    """Credentials: users and the keys that let them in."""


standard_verbs(credential, KIND)


@credential.command()
@click.argument("name")
@click.option("--login", required=True, help="The user in the guest.")
@click.option("--key", required=True, metavar="FILE", help="The user's public key.")
@waiting
def create(name: str, login: str, key: str, wait: bool) -> None:
    """Keep a user and a public key as NAME."""
    document: Document = {"name": name, "credentialTemplate": {"userName": login, "key": text_of(key).strip()}}
    run(lambda session: make(session, "credentials", document, wait=wait))
