"""Completion of names, which the provider is asked for, within a second; a provider that is away completes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import cimi_client
import click
from click.shell_completion import CompletionItem

from cimi_command.options import Options
from cimi_command.session import server_of

SECONDS = 1.0
MOST = 200
Completing = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names_of(collection: str) -> Completing:
    """Return what completes the names of a collection of the Cloud Entry Point."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        given = {str(value) for values in ctx.params.values() if isinstance(values, tuple) for value in values}
        try:
            chosen = ctx.ensure_object(Options)
            named = asyncio.run(asyncio.wait_for(_named(chosen, collection), SECONDS))
        except (cimi_client.CimiError, click.ClickException, TimeoutError, OSError):
            return []
        wanted = [(name, state) for name, state in named if name.startswith(incomplete) and name not in given]
        return [CompletionItem(name, help=state) for name, state in wanted]

    return complete


async def _named(chosen: Options, collection: str) -> list[tuple[str, str]]:
    query = cimi_client.Query(first=1, last=MOST)
    async with cimi_client.Client(server_of(chosen, patience=0.0, ask=False)) as client:
        page = await client.page(collection, query)
        return sorted(
            (item.name or item.key, item.state) for item in page.items if (item.name or item.key).isprintable()
        )
