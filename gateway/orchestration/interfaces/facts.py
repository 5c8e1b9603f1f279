"""The facts kept of a Machine's interface's entry for an Address beside its document."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept


@dataclass(frozen=True)
class KeptInterfaceAddress(Kept):
    """Facts of a MachineNetworkInterfaceAddress."""

    reported: bool = False
    """The guest was seen with the address; nobody reserved it."""
