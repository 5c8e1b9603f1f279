"""The common part of the subcommands: the configuration, and errors as one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.config import DEFAULT_PATH, ConfigError, Settings, load
from gateway.errors import GatewayError
from gateway.plain_text import printable
from gateway.store.offline import OfflineStore

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """Give a subcommand the option ``--config FILE``; every one has it."""
    return click.option(
        "--config",
        "config",
        # Whether it can be read says load(), by the exit status for a wrong configuration.
        type=click.Path(path_type=Path, readable=False),
        default=DEFAULT_PATH,
        show_default=True,
        help="The configuration file.",
    )(function)


EX_CONFIG = 78
"""The exit status of sysexits.h for a wrong configuration; systemd then starts nothing again, by the unit."""


class WrongConfiguration(click.ClickException):
    """The end of a subcommand whose configuration is wrong, with an exit status of its own."""

    exit_code = EX_CONFIG


def say(text: str, *, err: bool = False) -> None:
    """Print one line of what others may have written: control characters in it move no cursor and make no line."""
    click.echo(printable(text), err=err)


@contextmanager
def plainly() -> Iterator[None]:
    """Turn errors meant for people into one line, with exit status 1, or 78 when the configuration is wrong."""
    try:
        yield
    except ConfigError as error:
        raise WrongConfiguration(printable(error.message)) from None
    except GatewayError as error:
        raise click.ClickException(printable(error.message)) from None


def settings_of(path: Path) -> Settings:
    """Return the settings in a file; a mistake in it ends the subcommand."""
    with plainly():
        return load(path)


def store_path(settings: Settings) -> Path:
    """Return the path of the configured store. Raises ClickException where there is none yet."""
    path = Path(settings.store.path)
    if not path.exists():
        raise click.ClickException(f"{path} does not exist: the gateway has not run yet")
    return path


@contextmanager
def store_reader(config: Path) -> Iterator[OfflineStore]:
    """Read the configured store while the block runs, also beside a gateway that has it open."""
    path = store_path(settings_of(config))
    try:
        with OfflineStore.open(path) as store:
            yield store
    except sqlite3.Error as error:
        raise click.ClickException(f"{path}: {error}") from None
