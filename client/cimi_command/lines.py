"""Events and Jobs as lines for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cimi_client.documents import Resource
from cimi_client.text import printable

if TYPE_CHECKING:
    from cimi_client import Json


def event_line(document: Mapping[str, Json], base: str) -> str:
    """Return an Event as a line: time, severity, kind, outcome, what it is about, and what there is to say."""
    event = Resource(document)
    content = event.part("content")
    kind = last_of(event.text("type"))
    said = {
        "state": f"{content.text('previous')} -> {content.state}",
        "alarm": f"{content.text('code')}: {content.text('detail')}",
        "model": f"{content.text('change')} {content.text('detail')}",
        "access": f"{content.text('initiator') or 'nobody'}: {content.text('operation')}; {content.text('detail')}",
    }.get(kind, "")
    about = path_of(content.href("resource") or "", base)
    parts = (event.text("timestamp"), f"{event.text('severity'):8}", f"{kind:6}", f"{event.text('outcome'):7}", about)
    return printable("  ".join((*parts, said.strip(), event.text("description"))).rstrip())


def job_line(job: Resource, base: str) -> str:
    """Return a Job as a line: when, which Job, how far it is, what it does to what, and what there is to say."""
    name, target = path_of(job.id, base), path_of(job.href("targetResource") or "", base)
    state = f"{job.state} {job.number('progress') or 0}%"
    parts = (job.text("timeOfStatusChange"), name, f"{state:13}", f"{last_of(job.text('action')):8}", target)
    return printable("  ".join((*parts, job.text("statusMessage"))).rstrip())


def log_line(line: Resource, job: str, base: str) -> str:
    """Return a line of a Job's log: when, how grave, of which Job (where that is said), the step, and its words."""
    about = (path_of(job, base),) if job else ()
    words = f"{line.text('step')}: {line.text('message')}"
    return printable("  ".join((line.text("timestamp"), f"{line.text('level'):7}", *about, words)).rstrip())


def path_of(url: str, base: str) -> str:
    """Return a URL as people know it: relative to the Cloud Entry Point, or else its last two parts."""
    if url.startswith(base) and url != base:
        return url.removeprefix(base)
    return "/".join(url.rstrip("/").rsplit("/", 2)[-2:])


def last_of(uri: str) -> str:
    """Return the word at the end of a URI."""
    return uri.rstrip("/").rpartition("/")[2]
