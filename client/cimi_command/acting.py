"""Verbs about several resources: all are asked for first and then waited for; one that fails leaves the others be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING

import cimi_client

from cimi_command import exits
from cimi_command.session import Session
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Resource
    from cimi_client.jobs import Accepted

Find = Callable[[str], Awaitable["Resource"]]
Ask = Callable[["Resource"], Awaitable["Accepted"]]
Request = Callable[[str], Coroutine[object, object, "Accepted"]]


def on(find: Find, ask: Ask) -> Request:
    """Return what asks for something of the resource that is found by a name."""

    async def request(name: str) -> Accepted:
        return await ask(await find(name))

    return request


async def each(session: Session, verb: str, names: Sequence[str], request: Request, wait: bool) -> None:
    """Ask for something of each resource, and wait for all. Raises SystemExit with the code of the first failure."""
    codes: list[int] = []
    accepted: list[tuple[str, Accepted]] = []
    for name in names:
        try:
            what = f"{verb} {name}"
            accepted.append((what, await session.ask(what, request(name))))
        except cimi_client.CimiError as error:
            codes.append(_failed(error))
    for what, change in accepted:
        if not wait:
            session.leave(what, change)
            continue
        try:
            await session.finish(what, change)
        except cimi_client.CimiError as error:
            session.going_on.pop(what, None)
            codes.append(_failed(error))
    if codes:
        raise SystemExit(codes[0])


def _failed(error: cimi_client.CimiError) -> int:
    say(f"cimi: {error}")
    return exits.code_of(error)
