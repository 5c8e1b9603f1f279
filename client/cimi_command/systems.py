"""``cimi system``: whole applications, which come in and go out as OVF packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.acting import each, on
from cimi_command.images import save
from cimi_command.kinds import ID, NAME, STATE, Kind, name_of, names, standard_verbs
from cimi_command.options import Family, verb, waiting
from cimi_command.progress import bar
from cimi_command.session import Session, run
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client.jobs import Accepted

KIND = Kind("systems", "System", (NAME, STATE, ID))
PACKAGE = "application/ovf"
ACTIONS = {
    "start": "Start all Machines of Systems.",
    "stop": "Stop all Machines of Systems.",
    "restart": "Stop and start all Machines of Systems.",
    "pause": "Hold the CPUs of all Machines of Systems.",
    "suspend": "Keep the state of all Machines of Systems on disk.",
}


@click.group(cls=Family)
def system() -> None:
    """Systems: Machines, networks and volumes as one."""


standard_verbs(system, KIND)


def _action(name: str, words: str) -> click.Command:
    @verb(name, help=words)
    @names("systems")
    @waiting
    def command(names: tuple[str, ...], wait: bool) -> None:
        run(lambda session: _act(session, name, names, wait))

    return command


for _name, _words in ACTIONS.items():
    system.add_command(_action(_name, _words))


async def _act(session: Session, verb: str, names: tuple[str, ...], wait: bool) -> None:
    client = session.client
    await each(
        session, verb, names, on(lambda name: client.find("systems", name), lambda one: client.act(one, verb)), wait
    )


@system.command("import")
@click.argument("source")
def import_(source: str) -> None:
    """Make a System of an OVF package: a file of this host, or a URL that the provider fetches."""
    run(lambda session: _import(session, source))


async def _import(session: Session, source: str) -> None:
    client = session.client
    systems = (await client.page("systems", cimi_client.Query(first=1, last=1))).collection
    what = f"import {source}"
    accepted: Accepted
    if "://" in source:
        accepted = await session.ask(what, client.act(systems, "import", {"source": source}))
    else:
        href = client.operation(systems, "import")
        with bar(what, quiet=session.options.quiet, of_bytes=True) as tell:
            sent = cimi_client.send_file(client, href, Path(source), PACKAGE, tell)
            accepted = await session.ask(what, sent)
    await session.finish(what, accepted)
    job = await accepted.ended()
    say(f"{what}: done")
    for made in job.affected if job is not None else ():
        if "/systems/" in made:
            click.echo(made)


@system.command()
@name_of("systems")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--destination", help="Where the provider is to put it, instead of FILE here.")
def export(name: str, file: Path | None, destination: str | None) -> None:
    """Write the System NAME with all that it needs into an OVF package."""
    if (file is None) == (destination is None):
        raise click.UsageError("say FILE, or --destination")
    run(lambda session: _export(session, name, file, destination))


async def _export(session: Session, name: str, file: Path | None, destination: str | None) -> None:
    client = session.client
    system = await client.find("systems", name)
    what = f"export {name}"
    parameters = {"destination": destination} if destination else {}
    accepted = await session.ask(what, client.act(system, "export", parameters))
    await session.finish(what, accepted)
    job = await accepted.ended()
    if file is None:
        say(f"{what}: done")
        return
    if job is None:
        raise cimi_client.NotOffered(f"{client.server.url} does not say where the package is")
    await save(session, await client.get(job.id), file, "package")
