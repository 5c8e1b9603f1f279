"""A look at guests that a gateway made and this one's store does not know, as after an older backup was restored."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

from drivers.base import ConnectionState, Driver, DriverError
from gateway.config import Settings
from gateway.doctor.finding import Finding
from gateway.store.offline import OfflineStore

NAMED = 5
"""Guests that a finding names."""


async def unknown_guests(settings: Settings, host: str, driver: Driver) -> AsyncIterator[Finding]:
    """Yield a warning where the host has guests that are Machines of another store, or of one that was lost."""
    machines = await asyncio.to_thread(_machines, Path(settings.store.path))
    if machines is None or driver.connection is not ConnectionState.UP:
        return
    try:
        domains = await driver.domains.list_all()
    except DriverError:
        # Another finding says so.
        return
    strangers = [domain for domain in domains if domain.machine is not None and domain.machine not in machines]
    if strangers:
        named = ", ".join(f"{domain.name} ({domain.title or domain.machine})" for domain in strangers[:NAMED])
        more = f" and {len(strangers) - NAMED} more" if len(strangers) > NAMED else ""
        message = f"guests of a gateway that this store does not know: {named}{more}"
        advice = "another gateway's, or younger than the backup that was restored: docs/operations.md, Restoring"
        yield Finding("warning", f"hypervisor {host}", message, advice)


def _machines(path: Path) -> frozenset[str] | None:
    """Return the paths of the store's Machines; None where there is no store that can be read."""
    if not path.exists():
        return None
    try:
        with OfflineStore.open(path) as store:
            return store.paths_of("Machine")
    except sqlite3.Error:
        return None
