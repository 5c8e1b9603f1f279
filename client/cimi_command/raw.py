"""``cimi get``, ``post``, ``put`` and ``api``: the provider's own documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cimi_client
import click
from cimi_client.text import printable_json, printable_lines

from cimi_command.making import text_of
from cimi_command.options import output, verb
from cimi_command.session import Session, run
from cimi_command.tables import Row, heads, show
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client.connection import Answer

DATA = click.option("-d", "--data", required=True, help="The document; @FILE is in a file, and - on standard input.")
PATH = click.argument("path")
COLUMNS = heads("NAME", "URL")


@verb()
@PATH
def get(path: str) -> None:
    """Read what is at PATH, such as machines or machines/ID?$select=name."""
    run(lambda session: _send(session, "GET", path, None))


@verb()
@PATH
@DATA
def post(path: str, data: str) -> None:
    """Send a document to PATH: a create, or an action."""
    run(lambda session: _send(session, "POST", path, _content(data)))


@verb()
@PATH
@DATA
def put(path: str, data: str) -> None:
    """Replace what is at PATH; with ?$select=name only that."""
    run(lambda session: _send(session, "PUT", path, _content(data)))


def _content(data: str) -> bytes:
    if data == "-" or data.startswith("@"):
        return text_of(data.removeprefix("@")).encode()
    return data.encode()


async def _send(session: Session, method: str, path: str, body: bytes | None) -> None:
    from cimi_client.connection import Request

    headers = {}
    if body is not None:
        headers["Content-Type"] = f"application/{'xml' if body.lstrip().startswith(b'<') else 'json'}"
    request = Request(method, await session.client.url(path), body, headers)
    answer = await session.client.connection.send(request)
    for name in ("location", "cimi-job-uri"):
        if name in answer.headers:
            say(f"{name}: {answer.headers[name]}")
    if answer.body:
        click.echo(_readable(answer))


def _readable(answer: Answer) -> str:
    """Return the body for people, and for programs: JSON over several lines, all else as it is."""
    text = answer.body.decode(errors="replace")
    if "json" not in answer.headers.get("content-type", ""):
        return printable_lines(text)
    try:
        return printable_json(json.loads(text), indent=2)
    except (ValueError, RecursionError):
        return printable_lines(text)


@verb()
@click.argument("kind", required=False)
@output
def api(kind: str | None, output: str) -> None:
    """Show what the provider has; of a KIND such as Machine, what it can do."""
    run(lambda session: _api(session, kind, output))


async def _api(session: Session, kind: str | None, form: str) -> None:
    if kind is not None:
        capabilities = await session.client.capabilities(kind)
        if capabilities is None:
            raise cimi_client.NotOffered(f"the provider says nothing of {kind}")
        rows = [Row((name, str(value)), {"name": name, "value": value}, name) for name, value in capabilities.items()]
        show(heads("NAME", "VALUE"), rows, form)
        return
    entry = await session.client.entry_point()
    urls = {name: entry.href(name) or entry.text(name) for name in entry.document}
    offered = {name: url for name, url in urls.items() if url.startswith("http") and name not in ("id", "resourceURI")}
    show(COLUMNS, [Row((name, url), {"name": name, "url": url}, name) for name, url in offered.items()], form)
