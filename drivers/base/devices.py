"""Devices that are plugged into a domain, and out of it again."""

from __future__ import annotations

from typing import Protocol

from drivers.base.domains import DiskSpec, InterfaceSpec


class DeviceCalls(Protocol):
    """Disks by their target, interfaces by their MAC address: at once when the domain runs, and for its next boots.

    Plugging in what is there already succeeds, and so does plugging out what is gone. Every other call raises
    DriverNotFound when there is no domain of this UUID.
    """

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        """Plug the disk into the domain.

        Raises DriverNotFound when its volume is missing, and DriverConflict when another disk has the target.
        """
        ...

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        """Plug the disk out, and return when the hypervisor says that it is gone.

        Raises DriverConflict when the guest does not let go within ``seconds``: then the disk stays for the next boots,
        and for now until the guest lets go.
        """
        ...

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        """Make the volume behind a running domain's disk at least ``capacity`` bytes large, so that the guest sees it.

        Return False when the domain does not run, or has no such disk now: then nothing was done.
        """
        ...

    async def replace_disk(self, uuid: str, target: str, pool: str, volume: str, format: str) -> None:
        """Put another volume behind a disk of a domain that is off.

        Raises DriverConflict when the domain is active, and DriverNotFound when volume or disk is missing.
        """
        ...

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None:
        """Plug the interface into the domain; on a network of the host's own it gets an address of its own.

        Raises DriverConflict when another interface has the MAC, a foreign guest has it, or no address is left.
        """
        ...

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        """Bring link, speed and filter of the interface of this MAC to what is asked, also while the guest runs.

        ``now`` is what a running guest has until its next boot, when that is something else. Raises DriverNotFound when
        the domain has no such interface.
        """
        ...

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        """Plug the interface out, and give back its leases; ``seconds`` and errors are those of ``detach_disk``."""
        ...
