"""The drivers' errors as answers: the one table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import drivers.base as base
from gateway.errors import BadGateway, Conflict, GatewayError, Invalid, NoSpace, NotImplementedHere, Unavailable
from gateway.jobs.execution import Failure

TABLE: dict[type[base.DriverError], type[GatewayError]] = {
    base.DriverNotFound: Conflict,
    base.DriverConflict: Conflict,
    base.DriverBusy: Unavailable,
    base.DriverUnavailable: Unavailable,
    base.DriverUnsupported: NotImplementedHere,
    base.DriverInvalid: Invalid,
    base.DriverNoSpace: NoSpace,
    base.DriverUnreachable: BadGateway,
    base.DriverFailed: GatewayError,
}


def translated(error: base.DriverError) -> GatewayError:
    """Return the gateway's error for a driver's error, with the same message."""
    return TABLE.get(type(error), GatewayError)(str(error))


@contextmanager
def translating() -> Iterator[None]:
    """Raise the gateway's own error in place of a driver's error that leaves this block."""
    try:
        yield
    except base.DriverError as error:
        raise translated(error) from error


def failure(error: BaseException) -> Failure:
    """Return what a Job says about the error that ended it."""
    if isinstance(error, base.DriverError):
        error = translated(error)
    if isinstance(error, GatewayError):
        return Failure(error.return_code, error.message)
    return Failure(GatewayError.return_code, f"an internal error: {type(error).__name__}: {error}"[:500])
