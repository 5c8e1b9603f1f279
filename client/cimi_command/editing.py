"""Changing resources: attribute by attribute, or as a whole in an editor."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.session import Session
from cimi_command.units import UNITS, amount
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Json, Resource

PROPERTIES = "properties."
LEFT_OUT = frozenset({"resourceURI", "operations"})
"""Members that nobody edits."""


async def set_attributes(session: Session, collection: str, name: str, changes: Iterable[str], wait: bool) -> None:
    """Change attributes, given as ``attribute=value``; only if nobody changed the resource meanwhile."""
    wanted = dict(_pair(change) for change in changes)
    resource = await session.client.find(collection, name)
    fresh = await session.client.get(resource.id)
    what = f"set {name}"
    accepted = await session.ask(what, session.client.edit(fresh, attributes(wanted, fresh)))
    if wait:
        await session.finish(what, accepted)
    else:
        session.leave(what, accepted)


def attributes(wanted: Mapping[str, str], resource: Resource) -> dict[str, Json]:
    """Return the attributes that are meant by texts: amounts in the standard's units, numbers, and properties."""
    document: dict[str, Json] = {}
    properties = dict(resource.properties)
    for name, text in wanted.items():
        if name.startswith(PROPERTIES):
            key = name.removeprefix(PROPERTIES)
            properties.pop(key, None)
            properties |= {key: text} if text else {}
            document["properties"] = properties or None
        else:
            document[name] = typed(name, text)
    return document


def typed(name: str, text: str) -> Json:
    """Return the value of an attribute, of which people write the text. Raises BadParameter."""
    from cimi_client.vocabulary import BOOLEANS, INTEGERS

    if not text:
        return None
    if name in UNITS:
        return amount(text, name)
    if name in INTEGERS and text.isdecimal():
        return int(text)
    if name in BOOLEANS and text in ("true", "false"):
        return text == "true"
    return text


def _pair(change: str) -> tuple[str, str]:
    name, equals, value = change.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{change!r} is no ATTRIBUTE=VALUE")
    return name, value


async def edit_resource(session: Session, collection: str, name: str) -> None:
    """Let somebody change a resource in an editor, and write it back if nobody else changed it meanwhile."""
    listed = await session.client.find(collection, name)
    resource = await session.client.get(listed.id)
    text = json.dumps({key: value for key, value in resource.document.items() if key not in LEFT_OUT}, indent=2)
    edited = click.edit(text + "\n", extension=".json")
    if edited is None or edited == text + "\n":
        say("nothing was changed")
        return
    try:
        document = json.loads(edited)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object")
        what = f"edit {name}"
        await session.finish(what, await session.ask(what, session.client.replace(resource, document)))
    except (ValueError, cimi_client.CimiError) as error:
        say(f"what was written is in {_kept(edited)}")
        if isinstance(error, ValueError):
            raise cimi_client.CimiError(f"what was written is no JSON: {error}") from None
        raise


def _kept(text: str) -> Path:
    """Keep what somebody has written, for another attempt."""
    with tempfile.NamedTemporaryFile("w", prefix="cimi-edit-", suffix=".json", delete=False) as file:
        file.write(text)
    return Path(file.name)
