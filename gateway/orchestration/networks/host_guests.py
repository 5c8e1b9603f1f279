"""Guests on the networks of the host's own, which older gateways made, held to their own addresses too."""

from __future__ import annotations

import structlog

from drivers.base import Driver, DriverFailed
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.room import Room

log = structlog.get_logger("sync")


class HostGuests:
    """The guests that are to be held, by host: all after we were away, then those that could not be held yet."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self._apart = Apart(room.supervision, "networks")
        self._due: dict[str, frozenset[str] | None] = {}
        """UUIDs of domains that are to be held at the next comparison, by host; None says all."""

    def expect_all(self, driver: Driver) -> None:
        """Have all guests of the host held at the next comparison, and again until that worked."""
        if self.room.hypervisors[driver.name].anti_spoofing:
            self._due[driver.name] = None

    async def hold(self, driver: Driver) -> None:
        """Hold the guests that are due; each that cannot be held is told once, and tried at the next comparison."""
        if driver.name not in self._due:
            return
        only = self._due.pop(driver.name)
        try:
            held = await driver.addresses.hold_guests(only)
        except Exception:
            self._due.setdefault(driver.name, only)
            raise
        if held.failed:
            self._due.setdefault(driver.name, frozenset(held.failed))
        if held.macs:
            log.info("held to their own addresses", hypervisor=driver.name, interfaces=", ".join(held.macs))
        for uuid in (only or frozenset()) | held.failed.keys():
            with self._apart.each(f"machines/{uuid}", driver):
                if uuid in held.failed:
                    raise DriverFailed(f"its guest is not held to its own address: {held.failed[uuid]}")
