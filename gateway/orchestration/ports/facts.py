"""What is kept of a NetworkPort beside its document."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.orchestration.common.kept import Hosted


@dataclass(frozen=True)
class KeptPort(Hosted):
    """Facts of a NetworkPort."""

    state_before: str | None = None
    """State from before the action of the Job that holds the port."""
    reached: str | None = None
    """State that the Job has brought the port to, until it is settled."""
