"""``cimi job tail``: how far Jobs are, and the lines of their logs."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.jobs import find
from cimi_command.lines import job_line, last_of, log_line
from cimi_command.session import Session
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Message, Resource

NEWEST = 20
REMEMBERED = 1000
"""Jobs of which is known what was printed, so that nothing is printed twice."""


async def tail_jobs(session: Session, name: str | None, follow: bool) -> None:
    """Print a line for each change of Jobs, and those of their logs; a Job that is named is followed to its end."""
    tail = Tail(session, (await find(session, name)).id if name is not None else None)
    if not follow:
        await tail.past()
        return
    try:
        await tail.follow()
    except cimi_client.NotOffered:
        if tail.only is None:
            raise
        # A provider without the stream tells how far a Job is to who asks again and again.
        async for one in cimi_client.followed(session.client, tail.only):
            await tail.change(one.resource)


@dataclass(frozen=True)
class Printed:
    """The last line that was printed of a Job, whether it said that the Job has ended, and the last of its log."""

    line: str = ""
    ended: bool = False
    number: int = 0


class Tail:
    """The lines about Jobs, of ``only`` one where that is a URL; each is printed once."""

    def __init__(self, session: Session, only: str | None) -> None:
        self.only = only
        self._client = session.client
        self._base = session.client.server.entry
        self._printed: dict[str, Printed] = {}

    async def past(self) -> None:
        """Print what there is to say of the newest Jobs, or the log of the only one and how that is."""
        if self.only is not None:
            await self.change(await self._client.get(self.only))
            return
        query = cimi_client.Query(order=("created:desc",), first=1, last=NEWEST)
        for one in (await self._client.page("jobs", query)).items[::-1]:
            self._print(one)

    async def follow(self) -> None:
        """Print what comes, until the only Job has ended. Raises NotOffered where the provider has no live stream."""
        async with aclosing(cimi_client.live(self._client, job_lines=True)) as messages:
            await anext(messages)
            await self.past()
            if self._over():
                return
            async for message in messages:
                await self._take(message)
                if self._over():
                    return

    def _over(self) -> bool:
        return self.only is not None and self._printed.get(self.only, Printed()).ended

    async def _take(self, message: Message) -> None:
        if message.kind == "jobline":
            self._print_log(message.resource)
        elif message.kind == "job":
            if self._wanted(message.resource.id):
                await self.change(message.resource, with_log=False)
        elif message.kind == cimi_client.POSITION:
            # A new connection: what was written meanwhile is in the logs.
            for job in [job for job, printed in self._printed.items() if not printed.ended]:
                await self._read_again(job)
        elif message.kind == "gap":
            say(f"{message.resource.text('lost')} events before are not kept any more")
        else:
            await self._event(message.resource)

    async def _event(self, event: Resource) -> None:
        """Read the Job that an Event is about: one that ended while the connection was broken comes no other way."""
        content = event.part("content")
        href = content.href("resource")
        if href is not None and last_of(content.text("resType")) == "Job" and self._wanted(href):
            await self._read_again(href)

    async def _read_again(self, job: str) -> None:
        try:
            await self.change(await self._client.get(job))
        except cimi_client.NotFound:
            self._printed.pop(job, None)

    def _wanted(self, job: str) -> bool:
        return self.only in (None, job)

    async def change(self, job: Resource, *, with_log: bool = True) -> None:
        """Print how far a Job is, after the lines of its log that were not printed yet."""
        href = job.href("log")
        if with_log and href is not None and (self.only is not None or job.id in self._printed):
            async for line in self._client.items(href):
                self._print_log(line)
        self._print(job)

    def _print(self, job: Resource) -> None:
        line = job_line(job, self._base)
        before = self._printed.pop(job.id, Printed())
        if before.line != line:
            click.echo(line)
        self._remember(job.id, Printed(line, cimi_client.Job(job).ended, before.number))

    def _print_log(self, line: Resource) -> None:
        job = line.id.rsplit("/", 2)[0]
        if not self._wanted(job) or not line.key.isdecimal():
            return
        before = self._printed.pop(job, Printed())
        if int(line.key) > before.number:
            click.echo(log_line(line, "" if self.only else job, self._base))
        self._remember(job, replace(before, number=max(int(line.key), before.number)))

    def _remember(self, job: str, printed: Printed) -> None:
        self._printed[job] = printed
        if len(self._printed) > REMEMBERED:
            del self._printed[next(iter(self._printed))]
