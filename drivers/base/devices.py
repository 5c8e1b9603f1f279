"""Devices that are plugged into a domain, and out of it again."""

from __future__ import annotations

from typing import Protocol

from drivers.base.domains import DiskSpec, InterfaceSpec


class DeviceCalls(Protocol):
    """Disks by their target, interfaces by their MAC address: at once when the domain runs, and for its next boots.

    Plugging in what is there already succeeds, and so does plugging out what is gone. When another device has the
    target or the address, DriverConflict says so.
    """

    async def attach_disk(self, uuid: str, disk: DiskSpec) -> None: ...

    async def detach_disk(self, uuid: str, target: str, seconds: float) -> None:
        """Returns when the hypervisor says that the device is gone. DriverConflict when the guest does not let go
        within ``seconds``: then the device stays for the next boots, and for now until the guest lets go.
        """
        ...

    async def grow_disk(self, uuid: str, target: str, capacity: int) -> bool:
        """Make the volume behind a running domain's disk at least this large, so that the guest sees it.

        False when the domain does not run, or has no such disk now: then nothing was done.
        """
        ...

    async def attach_interface(self, uuid: str, interface: InterfaceSpec) -> None: ...

    async def update_interface(self, uuid: str, interface: InterfaceSpec, now: InterfaceSpec | None = None) -> None:
        """Bring link, speed and filter of the interface of this MAC to what is asked, also while the guest runs.

        ``now``: what a running guest has until its next boot, when that is something else.
        """
        ...

    async def detach_interface(self, uuid: str, mac: str, seconds: float) -> None:
        """As ``detach_disk``."""
        ...
