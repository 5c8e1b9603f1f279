"""One run of a verb: the client for it, what was asked for, and how errors and Ctrl-C end it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import cimi_client
import click

from cimi_command import exits
from cimi_command.options import Options, options
from cimi_command.profiles import Profile, Profiles, environment
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client.jobs import Accepted

T = TypeVar("T")
A = TypeVar("A", bound="Accepted")
PATIENCE = 60.0
"""Seconds that a server may be away, as for a restart."""
LAST_WORDS = 5.0
"""Seconds that an interrupted verb waits for the answer to what it has just asked for."""


@dataclass
class Session:
    """A client, and what was asked for with it and has not ended yet."""

    client: cimi_client.Client
    options: Options
    going_on: dict[str, Accepted] = field(default_factory=dict)

    async def ask(self, what: str, request: Coroutine[object, object, A]) -> A:
        """Return the answer to a request that changes something. An interruption waits for it, and then is one."""
        task = asyncio.ensure_future(request)
        try:
            accepted = await asyncio.shield(task)
        except asyncio.CancelledError:
            done, _ = await asyncio.wait([task], timeout=LAST_WORDS)
            if done and not task.cancelled() and task.exception() is None:
                self.going_on[what] = task.result()
            elif not done:
                say(f"{what}: asked for; whether it was accepted is not known")
            raise
        self.going_on[what] = accepted
        return accepted

    async def finish(self, what: str, accepted: Accepted) -> None:
        """Wait for the end of what was asked for, and show how far it is. Raises JobFailed."""
        from cimi_command.progress import followed

        await followed(what, accepted, quiet=self.options.quiet)
        self.going_on.pop(what, None)

    def leave(self, what: str, accepted: Accepted) -> None:
        """Say where something goes on that nobody waits for."""
        self.going_on.pop(what, None)
        place = f": {accepted.job_url}" if accepted.job_url and not accepted.finished else ""
        say(f"{what}: {'done' if accepted.finished else 'asked for'}{place}")


def run(work: Callable[[Session], Awaitable[T]]) -> T:
    """Return what the work of a verb gives, or end the program with words and an exit code."""
    chosen = options()
    try:
        return asyncio.run(_run(work, chosen))
    except cimi_client.CimiError as error:
        say(f"cimi: {error}")
        raise SystemExit(exits.code_of(error)) from None
    except OSError as error:
        say(f"cimi: {error}")
        raise SystemExit(exits.FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(exits.INTERRUPTED) from None


async def _run(work: Callable[[Session], Awaitable[T]], chosen: Options) -> T:
    from cimi_command.watching import watcher

    server = server_of(chosen)
    async with cimi_client.Client(server, watcher(chosen)) as client:
        session = Session(client, chosen)
        try:
            return await work(session)
        except asyncio.CancelledError:
            for what, accepted in session.going_on.items():
                say(f"interrupted; this goes on: {what}{': ' + accepted.job_url if accepted.job_url else ''}")
            raise


def server_of(
    chosen: Options, *, patience: float | None = None, ask: bool = True, profile: Profile | None = None
) -> cimi_client.Server:
    """Return the server that the options, the environment and the profiles name, in this order. Raises UsageError."""
    from pathlib import Path

    profile = profile or profile_of(chosen)
    password = profile.password
    if profile.user and not password and not profile.token:
        if not ask or not sys.stdin.isatty():
            raise click.UsageError(f"the password of {profile.user} is needed: set CIMI_PASSWORD, or cimi login")
        password = click.prompt(f"Password of {profile.user}", hide_input=True, err=True)
    return cimi_client.Server(
        profile.url,
        cimi_client.Login(profile.user or None, password or None, profile.token or None),
        media="xml" if chosen.xml else "json",
        insecure=profile.insecure or chosen.insecure,
        project=chosen.project or os.environ.get("CIMI_PROJECT", ""),
        authorities=Path(profile.authorities) if profile.authorities else None,
        patience=PATIENCE if patience is None else patience,
    )


def profile_of(chosen: Options) -> Profile:
    """Return the provider and the credentials that are meant. Raises UsageError when none is named."""
    import os
    from dataclasses import replace

    wanted = dict(environment())
    wanted |= {key: value for key, value in (("url", chosen.url), ("user", chosen.user)) if value}
    name = chosen.profile or (None if "url" in wanted else os.environ.get("CIMI_PROFILE"))
    kept = None if "url" in wanted and name is None else Profiles.read().chosen(name)
    if kept is None and "url" not in wanted:
        raise click.UsageError("no provider is named: cimi login https://host/cimi/, or set CIMI_URL")
    base = kept or Profile(wanted["url"])
    if "user" in wanted or "token" in wanted:
        base = replace(base, user="", password="", token="")
    texts = {name: wanted.get(name, getattr(base, name)) for name in ("url", "user", "password", "token")}
    return Profile(**texts, insecure=base.insecure, authorities=base.authorities)
