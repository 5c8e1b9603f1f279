"""A stage of the gateway's start and stop, and the first one's work: the store, opened."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway.config import Settings
from gateway.store.store import Store

Work = Callable[[], Awaitable[None]]
log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part that the gateway begins at its start, and how that is ended at its stop, in reverse order."""

    what: str
    start: Work | None = None
    stop: Work | None = None


async def opened_store(settings: Settings) -> Store:
    """Return the store of the configuration, opened; the log tells of secrets in it that no key at hand opens."""
    kept = settings.store
    store = await Store.open(Path(kept.path), kept.key, kept.former_keys)
    for kind, number in store.lost.items():
        log.error(
            "secrets cannot be read: the store's key is another one than they were sealed with",
            kind=kind,
            resources=number,
            help="give the key back as [store] former_keys, or set them anew",
        )
    return store
