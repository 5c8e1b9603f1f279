"""``cimi-gateway project``: what resources are in, and which users have roles in it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway import users
from gateway.cli.accounts import accounts_of
from gateway.cli.common import config_option, plainly, settings_of
from gateway.plain_text import printable


@click.group()
def project() -> None:
    """Add, share, remove and list projects."""


@project.command()
@click.argument("name")
@config_option
def add(name: str, config: Path) -> None:
    """Add a project, in which nobody has a role yet."""
    with plainly():
        accounts_of(settings_of(config)).add_project(users.checked_name(name))
    click.echo(f"added {name}")


@project.command()
@click.argument("name")
@click.argument("user")
@click.option("--role", type=click.Choice(users.ROLES), required=True, help="An admin of it also chooses its members.")
@config_option
def grant(name: str, user: str, role: str, config: Path) -> None:
    """Give USER a role in the project NAME, in place of the one that they have."""
    with plainly():
        accounts_of(settings_of(config)).grant(name, user, role)
    click.echo(f"{user} is {role} of {name}")


@project.command()
@click.argument("name")
@click.argument("user")
@config_option
def revoke(name: str, user: str, config: Path) -> None:
    """Take the role that USER has in the project NAME."""
    with plainly():
        accounts_of(settings_of(config)).withdraw(name, user)
    click.echo(f"{user} has no role in {name} any more")


@project.command()
@click.argument("name")
@config_option
def remove(name: str, config: Path) -> None:
    """Remove a project in which nothing is left."""
    with plainly():
        accounts_of(settings_of(config)).remove_project(name)
    click.echo(f"removed {name}")


@project.command("list")
@config_option
def list_(config: Path) -> None:
    """List projects with their members; the project of a user's own has the user's name."""
    with plainly():
        for name, members in accounts_of(settings_of(config)).projects():
            roles = ", ".join(f"{member.user} ({member.role})" for member in members)
            click.echo(f"{printable(name)}\t{printable(roles)}".rstrip())
