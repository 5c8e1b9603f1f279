"""Errors a person can act on, each with the CIMI return code it is answered with.

The return code is 10000 plus the HTTP status: DSP0263 reserves 0 to 9999 for itself, and the wire derives
the status from it. This is the one place where an error meets its number.
"""

from __future__ import annotations

BEFORE_STATUS = 10000
"""What a return code has on top of the HTTP status that it stands for."""


def status_of(return_code: int) -> int:
    """Return the HTTP status that a CIMI return code stands for."""
    return return_code - BEFORE_STATUS


class GatewayError(Exception):
    """A failure on our side; the message says what went wrong and what to do."""

    return_code: int = 10500

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @property
    def status(self) -> int:
        """Return the HTTP status that the error is answered with."""
        return status_of(self.return_code)


class Invalid(GatewayError):
    """A mistake in the request: ``attribute`` names the part, when there is one."""

    return_code = 10400

    def __init__(self, message: str, attribute: str | None = None) -> None:
        super().__init__(f"{attribute}: {message}" if attribute else message)
        self.attribute = attribute


class Unauthenticated(GatewayError):
    """A request of which nobody knows who sends it."""

    return_code = 10401


class Forbidden(GatewayError):
    """A request that the caller may not make."""

    return_code = 10403


class NotFound(GatewayError):
    """The absence of a resource, or of one that the caller may see."""

    return_code = 10404


class MethodNotAllowed(GatewayError):
    """A method that the URI does not have; ``allow`` lists those that it has."""

    return_code = 10405

    def __init__(self, message: str, allow: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allow = allow


class NotAcceptable(GatewayError):
    """The lack of a format that the client accepts and the answer can be given in."""

    return_code = 10406


class RequestTimeout(GatewayError):
    """The silence of a client that stopped sending in the middle of a request."""

    return_code = 10408


class Conflict(GatewayError):
    """A state of a resource that forbids what was requested."""

    return_code = 10409


class PreconditionFailed(GatewayError):
    """Another version of the resource than the one that the client means."""

    return_code = 10412


class TooLarge(GatewayError):
    """A body of more bytes than are taken."""

    return_code = 10413


class UriTooLong(GatewayError):
    """A URI of too many characters."""

    return_code = 10414


class UnsupportedMediaType(GatewayError):
    """A body in a format that is not taken."""

    return_code = 10415


class RangeNotSatisfiable(GatewayError):
    """A range outside of the ``size`` bytes that there are."""

    return_code = 10416

    def __init__(self, message: str, size: int) -> None:
        super().__init__(message)
        self.size = size


class Misdirected(GatewayError):
    """A request to a host that this gateway is not."""

    return_code = 10421


class HeadersTooLarge(GatewayError):
    """Header fields of too many bytes."""

    return_code = 10431


class TooManyRequests(GatewayError):
    """A caller who sends too many requests; ``retry_after`` is in seconds."""

    return_code = 10429

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotImplementedHere(GatewayError):
    """A part of the standard that this gateway or its hypervisor does not have."""

    return_code = 10501


class BadGateway(GatewayError):
    """The failure of another server, which the gateway asked on the client's behalf."""

    return_code = 10502


class Unavailable(GatewayError):
    """The absence of the hypervisor or the store; ``retry_after`` is in seconds."""

    return_code = 10503

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PartFailed(GatewayError):
    """The failure of a part of what was requested; ``return_code`` is that of the part."""

    def __init__(self, message: str, return_code: int) -> None:
        super().__init__(message)
        self.return_code = return_code


class NoSpace(GatewayError):
    """A pool or the disk below it is full."""

    return_code = 10507
