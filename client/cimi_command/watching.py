"""``--debug`` and ``--curl``: each request and its answer, without the secrets in them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from cimi_command.options import Options

if TYPE_CHECKING:
    from cimi_client import Exchange, Watcher

LONGEST = 20_000
"""Characters of a body that are printed."""
HIDDEN = "authorization"


def watcher(options: Options) -> Watcher | None:
    """Return who looks on at the exchanges; None when nobody does."""
    if options.curl:
        return _print_curl
    return _print_exchange if options.debug else None


def _print_curl(exchange: Exchange) -> None:
    words = ["curl", "-i"]
    if exchange.method != "GET":
        words += ["-X", exchange.method]
    for name, value in exchange.sent.items():
        if name.lower() == HIDDEN:
            words += ["-H", f"Authorization: {value.partition(' ')[0]} ..."]
        elif name.lower() not in ("user-agent", "content-length"):
            words += ["-H", f"{name}: {value}"]
    if exchange.body is not None:
        words += ["-d", exchange.body.decode(errors="replace")]
    _echo(shlex.join([*words, exchange.url]))


def _print_exchange(exchange: Exchange) -> None:
    _echo(f"> {exchange.method} {exchange.url}")
    for name, value in exchange.sent.items():
        _echo(f"> {name}: {'...' if name.lower() == HIDDEN else value}")
    if exchange.body:
        _echo(f"> {exchange.body[:LONGEST].decode(errors='replace')}")
    if not exchange.status:
        _echo("< no answer")
        return
    _echo(f"< {exchange.status} after {exchange.seconds:.3f} s")
    for name, value in exchange.headers.items():
        _echo(f"< {name}: {value}")
    if exchange.answer:
        _echo(exchange.answer[:LONGEST].decode(errors="replace"))


def _echo(text: str) -> None:
    from cimi_client.text import printable_lines

    click.echo(printable_lines(text), err=True)
