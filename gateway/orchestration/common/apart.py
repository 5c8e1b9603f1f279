"""Comparing many resources with the hypervisor, where the trouble of one never stops the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from drivers.base import ConnectionState, Driver, DriverError
from drivers.supervision import Supervision
from gateway.errors import GatewayError, NoSpace, Unavailable

MOST = 10_000
"""The number of resources whose trouble is remembered; with more of them all are told again."""
log = structlog.get_logger("sync")


class Apart:
    """The resources that could not be compared: each reason is told once, and so is the end of it.

    ``name`` is that of the loop, under which surprises are counted.
    """

    def __init__(self, supervision: Supervision, name: str) -> None:
        self._supervision = supervision
        self._name = name
        self._reasons: dict[str, str] = {}

    @contextmanager
    def each(self, path: str, driver: Driver | None = None) -> Iterator[None]:
        """Keep what goes wrong with this resource to it.

        An error that is no trouble of one resource goes on its way: a hypervisor is away, or a store takes nothing.
        """
        try:
            yield
        except (NoSpace, Unavailable):
            raise
        except Exception as error:
            if driver is not None and driver.connection is not ConnectionState.UP:
                raise
            self._tell(path, error)
        else:
            if self._reasons.pop(path, None) is not None:
                log.info("compared again", resource=path)

    def _tell(self, path: str, error: Exception) -> None:
        reason = str(error) or type(error).__name__
        if self._reasons.get(path) == reason:
            return
        if len(self._reasons) >= MOST:
            self._reasons.clear()
        self._reasons[path] = reason
        if isinstance(error, (DriverError, GatewayError)):
            log.warning("not compared", resource=path, reason=reason)
        else:
            self._supervision.surprise(self._name, error, resource=path)
