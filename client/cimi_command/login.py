"""``cimi login``, ``logout`` and ``profile``: which providers there are."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace

import cimi_client
import click

from cimi_command import exits
from cimi_command.options import Family, options, output, verb
from cimi_command.profiles import Profile, Profiles, file
from cimi_command.session import server_of
from cimi_command.tables import Row, heads, show
from cimi_command.words import say

AUTHORITIES = click.Path(exists=True, dir_okay=False, resolve_path=True)


@verb()
@click.argument("entry", metavar="URL")
@click.option("--name", default="default", show_default=True, help="What to call the profile.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--ca", "authorities", type=AUTHORITIES, help="Certificates to trust (PEM) instead of the system's.")
def login(entry: str, name: str, password_stdin: bool, authorities: str | None) -> None:
    """Log in at the provider with the Cloud Entry Point URL, and keep that as a profile.

    The password is asked for, or CIMI_PASSWORD. unix:/path is a socket on this host, which needs none.
    """
    chosen = options()
    user = "" if entry.startswith("unix:") else chosen.user or click.prompt("User", err=True)
    password = _password(user, password_stdin)
    profile = Profile(entry, user, password, insecure=chosen.insecure, authorities=authorities or "")
    try:
        asyncio.run(_try(profile))
    except cimi_client.CimiError as error:
        say(f"cimi: {error}")
        raise SystemExit(exits.code_of(error)) from None
    profiles = Profiles.read()
    profiles.named[name] = profile
    profiles.default = name
    profiles.write()
    say(f"logged in at {entry}; kept as profile {name} in {file()}")


def _password(user: str, from_stdin: bool) -> str:
    if not user:
        return ""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    return os.environ.get("CIMI_PASSWORD") or click.prompt(f"Password of {user}", hide_input=True, err=True)


async def _try(profile: Profile) -> None:
    """Read something that nobody may read without logging in. Raises CimiError."""
    chosen = replace(options(), url=None, user=None)
    async with cimi_client.Client(server_of(chosen, patience=0.0, profile=profile)) as client:
        entry = await client.entry_point()
        if entry.href("machines"):
            await client.page("machines", cimi_client.Query(first=1, last=1))


@verb()
@click.argument("name", default="")
def logout(name: str) -> None:
    """Forget the profile NAME, or the default one."""
    profiles = Profiles.read()
    forgotten = name or profiles.default
    if profiles.named.pop(forgotten, None) is None:
        raise click.ClickException(f"there is no profile {forgotten!r} in {file()}")
    if profiles.default == forgotten:
        profiles.default = next(iter(profiles.named), "")
    profiles.write()
    say(f"forgot {forgotten}")


@click.group(cls=Family)
def profile() -> None:
    """List the profiles, or choose one."""


COLUMNS = heads("NAME", "URL", "USER", "DEFAULT")


@profile.command("list")
@output
def list_(output: str) -> None:
    """List the profiles."""
    profiles = Profiles.read()
    rows = [
        Row(
            (name, one.url, one.user, "yes" if name == profiles.default else ""),
            {"name": name, "url": one.url, "user": one.user, "default": name == profiles.default},
            name,
        )
        for name, one in profiles.named.items()
    ]
    show(COLUMNS, rows, output)


@profile.command()
@click.argument("name")
def use(name: str) -> None:
    """Take NAME when no profile is named."""
    profiles = Profiles.read()
    profiles.chosen(name)
    profiles.default = name
    profiles.write()
