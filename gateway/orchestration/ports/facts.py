"""The facts that are kept of a NetworkPort beside its document."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept


@dataclass(frozen=True)
class KeptPort(Kept):
    """Facts of a NetworkPort."""

    host: str
    """Name of the hypervisor that has the port's Network."""
    state_before: str | None = None
    """State from before the action of the Job that holds the port."""
    reached: str | None = None
    """State that the Job has brought the port to, until it is settled."""
