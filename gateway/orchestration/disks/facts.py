"""The facts kept of a Disk beside its document; those that the hypervisor needs stand with its Machine."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.durable import Kept


@dataclass(frozen=True)
class KeptDisk(Kept):
    """Facts of a Disk."""

    boot: bool = False
    """The Machine boots from the disk, which goes with the Machine only."""
