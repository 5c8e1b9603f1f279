"""What a driver tells on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from drivers.base.domains import DomainFacts


class ConnectionState(StrEnum):
    DOWN = "down"
    CONNECTING = "connecting"
    RESYNCING = "resyncing"
    UP = "up"


class EventKind(StrEnum):
    DOMAIN_CHANGED = "domain changed"
    """Look at the domain again: started, stopped, crashed, paused, redefined..."""
    DOMAIN_UNDEFINED = "domain undefined"
    NETWORK_CHANGED = "network changed"
    """A network was defined, undefined, started or stopped; ``uuid`` is its own, ``detail`` says which."""
    DOMAIN_ALARM = "domain alarm"
    """Something a person should know: ``code`` says in a word what, ``detail`` in words."""
    CONNECTION = "connection"
    """The connection's state changed; after UP everything has to be compared anew."""


@dataclass(frozen=True, slots=True)
class DriverEvent:
    """``facts`` come with DOMAIN_CHANGED when they could be read, so that the listener need not ask."""

    hypervisor: str
    kind: EventKind
    uuid: str | None = None
    facts: DomainFacts | None = None
    state: ConnectionState | None = None
    detail: str = ""
    code: str = ""
    """Of a DOMAIN_ALARM: watchdog, reboot, io-error, enospc, memory-failure or control-error."""


Listener = Callable[[DriverEvent], None]
"""Called on the asyncio loop; must not block."""
