"""The troubles that there may be with a hypervisor, as types; their messages are for people."""

from __future__ import annotations


class DriverError(Exception):
    """The hypervisor refused or failed; the message is for people."""


class DriverNotFound(DriverError):
    """There is no such domain, pool, volume or network."""


class DriverConflict(DriverError):
    """The resource is in a state which does not allow this, or exists already as another one."""


class DriverBusy(DriverError):
    """The resource is being worked on by somebody else; trying again later makes sense."""


class DriverUnavailable(DriverError):
    """The hypervisor does not answer: connection down, frozen, or a call over its deadline."""


class DriverUnsupported(DriverError):
    """This hypervisor cannot do it."""


class DriverInvalid(DriverError):
    """The request is wrong in itself (an image that is no image, a size that cannot be)."""


class DriverAbsent(DriverInvalid):
    """Another server says that it has no such file, or none that is for us."""


class DriverReaderDied(DriverInvalid):
    """The process that looked at the bytes was killed: they cost more time or memory than they may."""


class DriverNoSpace(DriverError):
    """The pool or the disk below it is full."""


class DriverUnreachable(DriverError):
    """Another server, which was asked for a file, does not answer, breaks off, or does not keep its word."""


class DriverFailed(DriverError):
    """Everything else; carries the hypervisor's own words."""
