"""libvirt's events about guests in trouble: I/O errors, watchdogs, reboots, broken memory, lost monitors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import libvirt

Tell = Callable[[str, str, str], None]
"""Called on libvirt's thread with the domain's UUID, a code, and words."""

IO_ACTIONS = {
    libvirt.VIR_DOMAIN_EVENT_IO_ERROR_NONE: "the guest was told",
    libvirt.VIR_DOMAIN_EVENT_IO_ERROR_PAUSE: "the guest is held",
    libvirt.VIR_DOMAIN_EVENT_IO_ERROR_REPORT: "the guest was told",
}
WATCHDOG_ACTIONS = {
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_NONE: "nothing was done",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_PAUSE: "the guest is held",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_RESET: "the guest was reset",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF: "the guest was powered off",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN: "the guest was asked to shut down",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_DEBUG: "it was only noted",
    libvirt.VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI: "the guest got an NMI",
}


class Alarms:
    """The functions that libvirt calls about guests in trouble, each of which tells of it in the gateway's words."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def callbacks(self) -> tuple[tuple[int, Callable[..., None]], ...]:
        """Return what to register for: each event of libvirt with the function to call."""
        return (
            (libvirt.VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON, self._io_error),
            (libvirt.VIR_DOMAIN_EVENT_ID_WATCHDOG, self._watchdog),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, self._control_error),
            (libvirt.VIR_DOMAIN_EVENT_ID_MEMORY_FAILURE, self._memory_failure),
        )

    def _io_error(
        self,
        _handle: Any,
        domain: libvirt.virDomain,
        source: str,
        device: str,
        action: int,
        reason: str,
        _opaque: Any,
    ) -> None:
        done = IO_ACTIONS.get(action, "")
        self._tell(domain.UUIDString(), reason or "io-error", f"an I/O error on {device or source}; {done}")

    def _watchdog(self, _handle: Any, domain: libvirt.virDomain, action: int, _opaque: Any) -> None:
        self._tell(domain.UUIDString(), "watchdog", WATCHDOG_ACTIONS.get(action, ""))

    def _reboot(self, _handle: Any, domain: libvirt.virDomain, _opaque: Any) -> None:
        self._tell(domain.UUIDString(), "reboot", "the guest rebooted")

    def _control_error(self, _handle: Any, domain: libvirt.virDomain, _opaque: Any) -> None:
        self._tell(domain.UUIDString(), "control-error", "the hypervisor lost control of the guest's process")

    def _memory_failure(self, _handle: Any, domain: libvirt.virDomain, recipient: int, *_details: Any) -> None:
        whose = "the guest's" if recipient == libvirt.VIR_DOMAIN_EVENT_MEMORY_FAILURE_RECIPIENT_GUEST else "the host's"
        self._tell(domain.UUIDString(), "memory-failure", f"a fault in {whose} memory")
