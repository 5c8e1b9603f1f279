"""``cimi console``: what the guest wrote to its serial console."""

from __future__ import annotations

import asyncio
import sys

import click

from cimi_command.kinds import name_of
from cimi_command.options import verb
from cimi_command.session import Session, run

LOOK_EVERY = 1.0


@verb()
@name_of("machines")
@click.option("--log", is_flag=True, help="What was written so far.")
@click.option("-f", "--follow", is_flag=True, help="With --log: go on until interrupted.")
@click.option("--raw", is_flag=True, help="Every byte as it is, escape sequences too.")
def console(name: str, log: bool, follow: bool, raw: bool) -> None:
    """Show what the guest wrote to its serial console. Escape sequences are shown harmless, unless --raw."""
    if not log:
        raise click.UsageError("say --log: this version shows what was written, and does not speak with the guest")
    run(lambda session: _show(session, name, follow, raw))


async def _show(session: Session, name: str, follow: bool, raw: bool) -> None:
    machine = await session.client.find("machines", name)
    href = session.client.operation(machine, "console")
    written = ""
    while True:
        text = await session.client.text(href)
        _write(_new(written, text), raw)
        written = text
        if not follow:
            return
        await asyncio.sleep(LOOK_EVERY)


def _new(before: str, now: str) -> str:
    """Return what was written since; of a console that has begun anew, all of it."""
    if now.startswith(before):
        return now[len(before) :]
    tail = before[-2000:]
    return now.rpartition(tail)[2] if tail in now else now


def _write(text: str, raw: bool) -> None:
    from cimi_client.text import printable_lines

    sys.stdout.write(text if raw else printable_lines(text))
    sys.stdout.flush()
