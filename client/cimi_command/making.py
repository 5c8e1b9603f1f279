"""Creates, as verbs ask for them: said, waited for, and named on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from cimi_client.text import printable

from cimi_command.session import Session
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Creation, Document, Resource


async def make(session: Session, collection: str, document: Document, *, wait: bool = True) -> Resource | None:
    """Make a resource, and print its id. Return it, or None when nobody waits for it."""
    what = f"create {document.get('name') or 'one'} in {collection.rpartition('/')[2]}"
    creation = await session.ask(what, session.client.create(collection, document))
    return await made(session, what, creation, wait=wait)


async def made(session: Session, what: str, creation: Creation, *, wait: bool = True) -> Resource | None:
    """Wait for a create, and print the id of what it makes."""
    if not wait:
        session.leave(what, creation)
        if creation.location:
            click.echo(printable(creation.location))
        return None
    await session.finish(what, creation)
    resource = await creation.resource()
    say(f"{what}: done")
    click.echo(printable(resource.id))
    return resource


def text_of(path: str) -> str:
    """Return the text of a small file that somebody names, such as a public key. Raises ClickException."""
    try:
        with click.open_file(path) as file:
            return str(file.read(1_000_000))
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: {error}") from None
