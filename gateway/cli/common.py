"""What the subcommands share: the configuration, and errors as one line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.config import DEFAULT_PATH, Settings, load
from gateway.errors import GatewayError

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """``--config FILE``, on every subcommand."""
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT_PATH,
        show_default=True,
        help="The configuration file.",
    )(function)


@contextmanager
def plainly() -> Iterator[None]:
    """Errors meant for people leave as one line and exit code 1."""
    try:
        yield
    except GatewayError as error:
        raise click.ClickException(error.message) from None


def settings_of(path: Path) -> Settings:
    with plainly():
        return load(path)


@contextmanager
def store_reader(config: Path) -> Iterator[sqlite3.Connection]:
    """A connection of our own that only reads; the daemon's write-ahead log lets it work beside it."""
    path = Path(settings_of(config).store.path)
    if not path.exists():
        raise click.ClickException(f"{path} does not exist: the gateway has not run yet")
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        yield connection
    except sqlite3.Error as error:
        raise click.ClickException(f"{path}: {error}") from None
    finally:
        connection.close()
