"""``cimi-gateway user``: who may use the gateway."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from gateway import users
from gateway.cli.common import config_option, plainly, settings_of
from gateway.cli.ownership import demand_unowned


@click.group()
def user() -> None:
    """Add, change, remove and list users."""


def _file(config: Path) -> Path:
    return Path(settings_of(config).auth.users_file)


def _password() -> str:
    """Return a password from the terminal, typed twice; from standard input when that is no terminal."""
    if sys.stdin.isatty():
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        return answer
    return sys.stdin.readline().rstrip("\n")


def _demand_new(entries: Mapping[str, users.User], name: str) -> None:
    if name in entries:
        raise users.UsersError(f"{name} exists already; passwd changes the password")


def _demand_user(entries: Mapping[str, users.User], name: str) -> None:
    if name not in entries:
        raise users.UsersError(f"there is no user {name}")


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(users.ROLES), required=True)
@click.option("--inherit", is_flag=True, help="Let the user have what an earlier one of this name left.")
@config_option
def add(name: str, role: str, inherit: bool, config: Path) -> None:
    """Add a user; the password is asked for, or read from standard input.

    A name whose earlier user left something is refused, unless the new one is to have it.
    """
    with plainly():
        path = _file(config)
        _demand_new(users.read(path), users.checked_name(name))
        if not inherit:
            demand_unowned(settings_of(config), name)
        entry = users.User(name, role, users.hashed(_password()))
        with users.changing(path) as entries:
            _demand_new(entries, name)
            entries[name] = entry
    click.echo(f"added {name} ({role})")


@user.command()
@click.argument("name")
@config_option
def passwd(name: str, config: Path) -> None:
    """Change a user's password."""
    with plainly():
        path = _file(config)
        _demand_user(users.read(path), name)
        hashed = users.hashed(_password())
        with users.changing(path) as entries:
            _demand_user(entries, name)
            entries[name] = replace(entries[name], hash=hashed)
    click.echo(f"changed {name}")


@user.command()
@click.argument("name")
@config_option
def remove(name: str, config: Path) -> None:
    """Remove a user; what they own stays, for the admins, and goes to no later user of the name by itself."""
    with plainly(), users.changing(_file(config)) as entries:
        _demand_user(entries, name)
        del entries[name]
    click.echo(f"removed {name}")


@user.command("list")
@config_option
def list_(config: Path) -> None:
    """List users and roles."""
    with plainly():
        for entry in users.read(_file(config)).values():
            click.echo(f"{entry.name}\t{entry.role}")
