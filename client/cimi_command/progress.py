"""How far something is: a bar on a terminal, and silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cimi_client.text import printable

from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client.jobs import Accepted


class Tell(Protocol):
    """A listener to how far something is."""

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Take how much is done, of how much, and what there is to say."""


@contextmanager
def bar(what: str, *, quiet: bool = False, of_bytes: bool = False) -> Iterator[Tell]:
    """Give what shows how far something is, on standard error."""
    if quiet or not sys.stderr.isatty():
        yield _silence
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TransferSpeedColumn

    figures = (DownloadColumn(), TransferSpeedColumn()) if of_bytes else (TaskProgressColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), *figures)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(escape(printable(what)), total=None)

        def tell(done: int, total: int, words: str = "") -> None:
            line = f"{what}: {words}" if words else what
            progress.update(task, completed=done, total=total or None, description=escape(printable(line))[:60])

        yield tell


def _silence(done: int, total: int, words: str = "") -> None:
    """Say nothing."""


async def followed(what: str, accepted: Accepted, *, quiet: bool = False) -> None:
    """Wait for the end of a change, show how far it is, and say what its Job has to say. Raises JobFailed."""
    with bar(what, quiet=quiet) as tell:
        if not accepted.finished:
            async for job in accepted.follow():
                tell(job.progress, 100, job.message)
    ended = await accepted.ended()
    if ended is not None and ended.message and not quiet:
        say(f"{what}: {ended.message}")
