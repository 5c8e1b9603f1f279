"""The facts that are kept, beside the documents, of resources that are monitored and of what monitors them."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.store.durable import Kept
from gateway.store.model import Document


@dataclass(frozen=True)
class Monitored(Kept):
    """The requests of a new resource's template, which are gone as soon as its EventLog and its Meters are made."""

    event_log: Document = field(default_factory=dict)
    """Attributes of the EventLog."""
    meters: tuple[Document, ...] = ()
    """Attributes of each Meter."""


@dataclass(frozen=True)
class KeptMeter(Kept):
    """Facts of a Meter."""

    stopped: bool = False
    """A client has stopped the Meter."""


@dataclass(frozen=True)
class KeptEvent(Kept):
    """Facts of an Event."""

    audience: str = ""
    """The user who may see it; empty for everyone."""


@dataclass(frozen=True)
class Shipped(Kept):
    """Facts of the CloudEntryPoint about what the gateway ships."""

    shipped_aspects: tuple[str, ...] = ()
    """Aspects whose MeterConfigurations were made once: an admin may have deleted them since."""


@dataclass(frozen=True)
class Measured(Kept):
    """The facts that say where a resource shows in the readings of hosts. Its own family writes them."""

    volume: str | None = None
    """Name of a Volume's storage in its pool."""
    machines: tuple[str, ...] = ()
    """Paths of the Machines in a System."""
