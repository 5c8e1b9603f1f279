"""Changes and their Jobs: awaitables that tell how far they have come (DSP0263 4.2.1, 5.13)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cimi_client.connection import Answer
from cimi_client.documents import Resource
from cimi_client.errors import CimiError, NotFound, ProtocolError
from cimi_client.json_types import documents, text
from cimi_client.vocabulary import verb_of

FINAL = frozenset({"SUCCESS", "FAILED", "STOPPED", "CANCELLED"})
SUCCESS = "SUCCESS"
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0


class Reader(Protocol):
    """A reader of resources, for those who wait."""

    async def get(self, reference: str) -> Resource:
        """Return a resource."""

    async def awaited(self, reference: str, seconds: int) -> tuple[Resource, bool]:
        """Return a Job once it has ended or after some seconds, and whether the provider waits at all."""


@dataclass(frozen=True)
class Job:
    """A Job as it was when it was read."""

    resource: Resource

    @property
    def id(self) -> str:
        """The absolute URL."""
        return self.resource.id

    @property
    def state(self) -> str:
        """The state, of which SUCCESS, FAILED and STOPPED are final."""
        return self.resource.state

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in FINAL

    @property
    def progress(self) -> int:
        """The percentage that is done."""
        return self.resource.number("progress") or 0

    @property
    def message(self) -> str:
        """The provider's words for people; empty without any."""
        return self.resource.text("statusMessage")

    @property
    def verb(self) -> str:
        """The verb of the action: ``add``, ``delete``, ``start`` ..."""
        return verb_of(self.resource.text("action"))

    @property
    def target(self) -> str | None:
        """The URL of the resource that the Job changes."""
        return self.resource.href("targetResource")

    @property
    def affected(self) -> tuple[str, ...]:
        """The URLs of the resources that it has changed or made."""
        entries = documents(self.resource.document.get("affectedResources"))
        return tuple(text(entry.get("href")) for entry in entries)

    def demand_success(self) -> Job:
        """Return the Job. Raises JobFailed when it ended otherwise."""
        if self.ended and self.state != SUCCESS:
            words = self.message or "the provider gives no reason"
            raise JobFailed(f"{self.verb or 'the job'} {self.state}: {words}", self)
        return self


class JobFailed(CimiError):
    """A Job that ended in another state than SUCCESS."""

    def __init__(self, message: str, job: Job) -> None:
        super().__init__(message)
        self.job = job


@dataclass(frozen=True)
class Accepted:
    """A change that was asked for and accepted: awaited, or followed Job by Job."""

    reader: Reader
    answer: Answer
    subject: str
    """The URL of what is changed; a delete has succeeded when it is gone."""
    document: Resource = field(default_factory=lambda: Resource({}))
    """What the answer held: the resource, a Job, or nothing."""
    removes: bool = False

    @property
    def finished(self) -> bool:
        """Whether the provider had made the change when it answered."""
        return self.answer.status != 202

    @property
    def job_url(self) -> str | None:
        """The URL of the Job; None where there is none."""
        header = self.answer.headers.get("cimi-job-uri")
        if header:
            return header
        return self.document.id or None if self.document.kind == "Job" else None

    @property
    def location(self) -> str | None:
        """The URL of what was made; None for a change that makes nothing."""
        if located := self.answer.headers.get("location"):
            return located
        return self.document.id or None if self.document.kind not in ("", "Job") else None

    async def follow(self) -> AsyncIterator[Job]:
        """Yield the Job each time it has changed, until it has ended; without a Job, yield nothing and wait.

        Raises NotFound when the Job is deleted meanwhile.
        """
        if self.job_url is None:
            await self._settled()
            return
        async for job in followed(self.reader, self.job_url):
            yield job

    async def ended(self) -> Job | None:
        """Return the ended Job; None where the provider has none. Raises JobFailed."""
        if self.finished and self.job_url is None:
            return None
        jobs = [job async for job in self.follow()]
        return jobs[-1].demand_success() if jobs else None

    async def resource(self) -> Resource:
        """Return what was made, once it is finished. Raises JobFailed, or ProtocolError when it is nowhere."""
        job = await self.ended()
        made = self.location or (next(iter(_made(job, self.subject)), None) if job is not None else None)
        if made is None:
            raise ProtocolError(f"{self.subject}: the provider does not say what it has made")
        return await self.reader.get(made)

    async def _settled(self) -> None:
        """Wait until the resource is in a state that it keeps, which is all that a provider without Jobs tells."""
        subject = self.location or self.subject
        pause = FIRST_PAUSE
        while not self.finished:
            try:
                resource = await self.reader.get(subject)
            except NotFound:
                if self.removes:
                    return
                raise
            if not self.removes and not resource.in_transit:
                _demand_no_error(resource)
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)


class Change(Accepted):
    """A change of what is there. Awaiting it gives the ended Job, None where there is none. Raises JobFailed."""

    def __await__(self) -> Generator[object, None, Job | None]:
        return self.ended().__await__()


class Creation(Accepted):
    """A create. Awaiting it waits for its end, and gives what was made. Raises JobFailed."""

    def __await__(self) -> Generator[object, None, Resource]:
        return self.resource().__await__()


async def followed(reader: Reader, url: str) -> AsyncIterator[Job]:
    """Yield a Job as it is now, and each time it has changed, until it has ended."""
    last: Mapping[str, object] | None = None
    job, waits, pause = Job(await reader.get(url)), True, FIRST_PAUSE
    while True:
        if job.resource.document != last:
            pause = FIRST_PAUSE
            last = job.resource.document
            yield job
        if job.ended:
            return
        if not waits:
            await asyncio.sleep(pause)
        # As long as a pause would be, so that its progress shows meanwhile.
        resource, waits = await reader.awaited(url, math.ceil(pause))
        job, pause = Job(resource), min(pause * 1.5, LONGEST_PAUSE)


def _made(job: Job, subject: str) -> list[str]:
    """Return what a create's Job has affected, without the collection that it was asked of."""
    return [href for href in job.affected if href.rstrip("/") != subject.rstrip("/")]


def _demand_no_error(resource: Resource) -> None:
    if resource.state in ("ERROR", "FAILED"):
        words = resource.text("statusMessage") or "the provider gives no reason"
        raise JobFailed(f"{resource.id} is in {resource.state}: {words}", Job(resource))
