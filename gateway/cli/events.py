"""``cimi-gateway events``: what happened and happens.

On the host it reads the store, as ``jobs`` does: whoever may read that file may see everything, so a password would
protect nothing, and an admin who looks for what went wrong must see it also while the daemon is down. From elsewhere
(``--url``) it follows the live stream over HTTP, with a user's name and password and that user's rights.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import config_option, say, store_reader
from gateway.cli.remote import RemoteGateway, remote_options
from gateway.plain_text import printable_json
from gateway.store.offline import OfflineStore

if TYPE_CHECKING:
    from cimi_command.session import Session

LOOK_EVERY = 0.3
EVERYTHING = "eventLogs/everything"
CHANGES = "eventLogs/changes"
PAGE = 500
Events = Iterator[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Events to print: of a resource, a log, or everything; so many past ones, and those to come."""

    resource: str | None
    lines: int
    follow: bool


@click.group()
def events() -> None:
    """Show and follow what happens to resources, and who asked for it."""


@events.command()
@click.argument("resource", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many past events to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.option("--changes", is_flag=True, help="Leave out refused requests: read the log that is kept longer.")
@remote_options
@config_option
def tail(*, as_json: bool, changes: bool, remote: RemoteGateway | None, config: Path, **selected: Any) -> None:
    """Print the newest events, of a RESOURCE (machines/ID) or of everything."""
    selection = Selection(**selected)
    if changes and selection.resource is not None:
        raise click.UsageError("--changes is about everything, not about one resource")
    if changes:
        selection = replace(selection, resource=CHANGES)
    if remote is not None:
        _print_remote(remote, selection, as_json)
        return
    try:
        for event in _stored_events(config, selection):
            say(printable_json(event) if as_json else line_of(event))
    except KeyboardInterrupt:
        return


def line_of(event: dict[str, Any]) -> str:
    """Return an event as a line: time, severity, kind, outcome, what it is about, and what there is to say."""
    content = event["content"]
    kind = event["type"].rpartition("/")[2]
    about = _path_of(content.get("resource", {}).get("href", ""))
    said = {
        "state": f"{content.get('previous', '')} -> {content.get('state')}",
        "alarm": f"{content.get('code')}: {content.get('detail', '')}",
        "model": f"{content.get('change')} {content.get('detail', '')}",
        "access": f"{content.get('initiator') or 'nobody'}: {content.get('operation')}; {content.get('detail', '')}",
    }.get(kind, "")
    note = event.get("description", "")
    parts = (event["timestamp"], f"{event.get('severity', ''):8}", f"{kind:6}", f"{event.get('outcome', ''):7}", about)
    return "  ".join((*parts, said.strip(), note)).rstrip()


def _path_of(href: str) -> str:
    return "/".join(href.rstrip("/").rsplit("/", 2)[-2:])


def _print_remote(gateway: RemoteGateway, selection: Selection, as_json: bool) -> None:
    """Print events over HTTP: the newest ones, and then from the live stream what comes."""

    async def work(session: Session) -> None:
        from cimi_command.events import Tail, tail_events

        changes = selection.resource == CHANGES
        resource = None if changes else selection.resource
        log = (CHANGES if changes else EVERYTHING).rpartition("/")[2]
        await tail_events(session, Tail(resource, max(0, selection.lines), selection.follow, as_json, log))

    gateway.run(work)


def _stored_events(config: Path, selection: Selection) -> Events:
    """Yield events from the store: the newest ones, and then what comes."""
    with store_reader(config) as store:
        log = _log_of(store, selection.resource)
        last = store.newest_position(log)
        after = last - max(0, selection.lines)
        while True:
            rows = store.events_after(log, after, PAGE)
            for position, moment, document in rows:
                after = position
                yield {"timestamp": moment, **document}
            if len(rows) < PAGE and not selection.follow:
                return
            if len(rows) < PAGE:
                time.sleep(LOOK_EVERY)


def _log_of(store: OfflineStore, resource: str | None) -> str:
    if resource in (None, CHANGES):
        return resource or EVERYTHING
    path = _path_of(resource) if "://" in resource else resource.strip("/")
    exists, log = store.event_log_of(path)
    if not exists:
        raise click.ClickException(f"there is no resource {path}")
    if log is None:
        raise click.ClickException(f"{path} has no event log; its events are among those of everything")
    return log
