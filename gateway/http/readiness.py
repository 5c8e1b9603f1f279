"""Whether the gateway can make changes, as ``/health/ready`` tells everybody: no addresses, none of libvirt's words."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from drivers.base import Driver


@dataclass(frozen=True, slots=True)
class Readiness:
    """An answer to whether changes can be made; there may be ``reasons`` while the gateway is ready."""

    ready: bool
    reasons: tuple[str, ...] = ()

    def without(self, reason: str) -> Readiness:
        """Return that the gateway is not ready, for this reason too."""
        return replace(self, ready=False, reasons=(*self.reasons, reason))

    def response(self) -> web.Response:
        """Return 200, or 503 for load balancers, with the reasons as JSON."""
        status = "ready" if self.ready else "not ready"
        body = {"status": status, "reasons": list(self.reasons)}
        return web.json_response(body, status=200 if self.ready else 503)


def away(driver: Driver) -> str:
    """Return in words that a hypervisor cannot be used now."""
    if driver.twin:
        return f"the hypervisor {driver.name} is not served: it leads to the same libvirt as {driver.twin}"
    return f"the hypervisor {driver.name} is {driver.connection.value}"
