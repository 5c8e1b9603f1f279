"""What is kept of a Disk beside its document; what the hypervisor needs to know of it stands with its Machine."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.store.kept import Kept


@dataclass(frozen=True)
class KeptDisk(Kept):
    """Facts of a Disk."""

    boot: bool = False
    """The Machine boots from the disk, which goes with the Machine only."""
