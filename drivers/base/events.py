"""Events that a driver tells on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from drivers.base.domains import DomainFacts


class ConnectionState(StrEnum):
    """The state of the connection to a hypervisor; only while it is UP calls succeed."""

    DOWN = "down"
    CONNECTING = "connecting"
    UP = "up"


class EventKind(StrEnum):
    """The kinds of events that a driver tells of."""

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
    """An event on the hypervisor of this name, about the domain or network of this UUID; None for the connection's.

    ``facts`` come with DOMAIN_CHANGED when they could be read, so that the listener need not ask; ``state`` comes with
    CONNECTION.
    """

    hypervisor: str
    kind: EventKind
    uuid: str | None = None
    facts: DomainFacts | None = None
    state: ConnectionState | None = None
    detail: str = ""
    code: str = ""
    """The kind of a DOMAIN_ALARM: watchdog, reboot, io-error, enospc, memory-failure or control-error."""


Listener = Callable[[DriverEvent], None]
"""Called on the asyncio loop; must not block."""
