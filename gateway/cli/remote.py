"""A gateway elsewhere, over HTTP: ``jobs tail --url`` and ``events tail --url``, which the command ``cimi`` shows.

``cimi-client`` is a distribution of its own, which the daemon does not need; so it is loaded when it is asked for.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.origins import demand_protection
from gateway.plain_text import printable

if TYPE_CHECKING:
    from cimi_command.session import Session

F = TypeVar("F", bound=Callable[..., Any])
PASSWORD = "CIMI_PASSWORD"  # noqa: S105 - the name of a variable


def read_password() -> str:
    """Return the password in the environment, also an empty one, so that no script is asked; else ask for it."""
    password = os.environ.get(PASSWORD)
    return password if password is not None else str(click.prompt("Password", hide_input=True, err=True))


@dataclass(frozen=True, slots=True)
class RemoteGateway:
    """A gateway that is read over HTTP. ``url`` is the Cloud Entry Point's.

    Refusals are ClickExceptions with the gateway's own words.
    """

    url: str
    user: str
    password: str
    insecure: bool

    @classmethod
    def of(cls, url: str, user: str | None, *, insecure: bool = False) -> RemoteGateway:
        """Return the gateway at this Cloud Entry Point, for a user whose password is asked for.

        ``insecure`` lets the password cross a network in the clear. Raises ClickException without a user, or for an
        unprotected way.
        """
        if user is None:
            raise click.ClickException("--url needs --user")
        if not insecure:
            demand_protection(url)
        return cls(url, user, read_password(), insecure)

    def run(self, work: Callable[[Session], Awaitable[None]]) -> None:
        """Do some work of ``cimi`` with this gateway, until it ends or is interrupted. Raises ClickException."""
        try:
            from cimi_client import CimiError
        except ImportError:
            raise click.ClickException("--url needs cimi-client: pip install ./client in a checkout") from None
        try:
            asyncio.run(self._run(work))
        except (CimiError, OSError) as error:
            raise click.ClickException(printable(str(error))) from None
        except KeyboardInterrupt:
            return

    async def _run(self, work: Callable[[Session], Awaitable[None]]) -> None:
        from cimi_client import Client, Login, Server
        from cimi_command.options import Options
        from cimi_command.session import Session

        login = Login(self.user, self.password)
        async with Client(Server(self.url, login, insecure=self.insecure, patience=60.0)) as client:
            await work(Session(client, Options()))


def remote_options(function: F) -> F:
    """Give a subcommand ``--url``, ``--user`` and ``--insecure``: one argument ``remote``, a RemoteGateway or None."""

    @click.option(
        "--url", help="Follow the gateway with this Cloud Entry Point over HTTP, instead of reading the store."
    )
    @click.option("--user", help=f"The user to follow as, with --url; the password is asked for, or {PASSWORD}.")
    @click.option(
        "--insecure",
        is_flag=True,
        help="Send the password over plain HTTP to another host, too: everybody on the way can read it.",
    )
    @wraps(function)
    def with_remote(url: str | None, user: str | None, *, insecure: bool, **options: Any) -> Any:
        remote = RemoteGateway.of(url, user, insecure=insecure) if url is not None else None
        return function(remote=remote, **options)

    return with_remote  # type: ignore[return-value]
