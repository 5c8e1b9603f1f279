"""Words for people, which go to standard error; data alone goes to standard output."""

from __future__ import annotations

import click


def say(text: str) -> None:
    """Print words for people, in which nothing of others moves the cursor."""
    from cimi_client.text import printable

    click.echo(printable(text), err=True)
