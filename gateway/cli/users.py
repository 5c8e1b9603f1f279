"""``cimi-gateway user``: who may use the gateway."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from gateway import users
from gateway.cli.account_types import Users
from gateway.cli.accounts import users_of
from gateway.cli.common import config_option, plainly, settings_of
from gateway.plain_text import printable


@click.group()
def user() -> None:
    """Add, change, remove and list users."""


def _password() -> str:
    """Return a password from the terminal, typed twice; from standard input when that is no terminal."""
    if sys.stdin.isatty():
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return answer
    return sys.stdin.readline().rstrip("\n")


def _demand_user(kept: Users, name: str) -> None:
    if name not in dict(kept.users()):
        raise users.UsersError(f"there is no user {name}")


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(users.ROLES), required=True)
@click.option("--no-password", is_flag=True, help="Let the user come in by other means alone: tokens, certificates.")
@click.option("--inherit", is_flag=True, help="Let the user have what an earlier one of this name left.")
@config_option
def add(name: str, role: str, inherit: bool, no_password: bool, config: Path) -> None:
    """Add a user; the password is asked for, or read from standard input.

    What an earlier user of this name has left is not the new one's, unless it is to be.
    """
    with plainly():
        kept = users_of(settings_of(config))
        if users.checked_name(name) in dict(kept.users()):
            raise users.UsersError(f"{name} exists already; passwd changes the password")
        kept.add_user(name, role, None if no_password else _password(), inherits=inherit)
    click.echo(f"added {name} ({role})")


@user.command()
@click.argument("name")
@config_option
def passwd(name: str, config: Path) -> None:
    """Change a user's password."""
    with plainly():
        kept = users_of(settings_of(config))
        _demand_user(kept, name)
        kept.set_password(name, _password())
    click.echo(f"changed {name}")


@user.command()
@click.argument("name")
@click.argument("role_", metavar="ROLE", type=click.Choice(users.ROLES))
@config_option
def role(name: str, role_: str, config: Path) -> None:
    """Change a user's role: admin of everything, or operator or viewer of the user's own project."""
    with plainly():
        users_of(settings_of(config)).set_role(name, role_)
    click.echo(f"changed {name} ({role_})")


@user.command()
@click.argument("name")
@config_option
def remove(name: str, config: Path) -> None:
    """Remove a user with their tokens; what is in their project stays, for the admins."""
    with plainly():
        users_of(settings_of(config)).remove_user(name)
    click.echo(f"removed {name}")


@user.command("list")
@config_option
def list_(config: Path) -> None:
    """List users and roles."""
    with plainly():
        for name, role_ in users_of(settings_of(config)).users():
            click.echo(f"{printable(name)}\t{role_}")
