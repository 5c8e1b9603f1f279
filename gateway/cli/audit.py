"""``cimi-gateway audit``: who asked for what, from where, and what came of it.

It reads the store, as ``events`` does: whoever may read that file may see everything, also while the daemon is down.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gateway.cli.common import config_option, say, store_reader
from gateway.plain_text import printable_json

LOOK_EVERY = 0.3
PAGE = 500
LEFT_OUT = ("position", "time", "outcome", "operation", "resource", "user")
Entries = Iterator[dict[str, Any]]


@click.group()
def audit() -> None:
    """Show and export the audit log: who asked for what, from where, and what came of it."""


@audit.command()
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("-n", "--lines", default=20, show_default=True, help="How many past entries to show.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@config_option
def tail(*, follow: bool, lines: int, as_json: bool, config: Path) -> None:
    """Print the newest entries."""
    _print(_newest(config, max(0, lines), follow=follow), as_json=as_json)


@audit.command()
@click.option("--after", default=0, show_default=True, help="Leave out entries up to this position.")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@config_option
def export(*, after: int, follow: bool, config: Path) -> None:
    """Print all entries, oldest first: one JSON document a line, each with its position to go on after."""
    _print(_entries(config, after, follow=follow), as_json=True)


def line_of(entry: dict[str, Any]) -> str:
    """Return an entry as a line: time, outcome, who, what, about what, and the rest with its names."""
    rest = "  ".join(f"{name}={value}" for name, value in entry.items() if name not in LEFT_OUT)
    user = entry.get("user") or "nobody"
    parts = (entry["time"], f"{entry['outcome']:7}", user, entry["operation"], entry.get("resource", ""), rest)
    return "  ".join(parts).rstrip()


def _print(entries: Entries, *, as_json: bool) -> None:
    try:
        for entry in entries:
            say(printable_json(entry) if as_json else line_of(entry))
    except KeyboardInterrupt:
        return


def _newest(config: Path, lines: int, *, follow: bool) -> Entries:
    with store_reader(config) as store:
        after = store.audit_before(store.newest_audit_position(), lines)
    yield from _entries(config, after, follow=follow)


def _entries(config: Path, after: int, *, follow: bool) -> Entries:
    """Yield the entries after a position, and then what comes."""
    with store_reader(config) as store:
        while True:
            entries = store.audit_after(after, PAGE)
            for entry in entries:
                after = entry["position"]
                yield entry
            if len(entries) < PAGE and not follow:
                return
            if len(entries) < PAGE:
                time.sleep(LOOK_EVERY)
