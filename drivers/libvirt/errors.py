"""libvirt's error codes as the gateway's typed errors: the one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import libvirt

from drivers.base import (
    DriverBusy,
    DriverConflict,
    DriverError,
    DriverFailed,
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    DriverUnavailable,
    DriverUnsupported,
)

T = TypeVar("T")
R = TypeVar("R")
TYPES: dict[int, type[DriverError]] = {
    libvirt.VIR_ERR_NO_DOMAIN: DriverNotFound,
    libvirt.VIR_ERR_NO_NETWORK: DriverNotFound,
    libvirt.VIR_ERR_NO_NWFILTER: DriverNotFound,
    libvirt.VIR_ERR_NO_STORAGE_POOL: DriverNotFound,
    libvirt.VIR_ERR_NO_STORAGE_VOL: DriverNotFound,
    libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT: DriverNotFound,
    libvirt.VIR_ERR_DEVICE_MISSING: DriverNotFound,
    libvirt.VIR_ERR_OPERATION_INVALID: DriverConflict,
    libvirt.VIR_ERR_DOM_EXIST: DriverConflict,
    libvirt.VIR_ERR_NETWORK_EXIST: DriverConflict,
    libvirt.VIR_ERR_STORAGE_VOL_EXIST: DriverConflict,
    libvirt.VIR_ERR_OPERATION_TIMEOUT: DriverBusy,
    libvirt.VIR_ERR_RESOURCE_BUSY: DriverBusy,
    libvirt.VIR_ERR_NO_SUPPORT: DriverUnsupported,
    libvirt.VIR_ERR_OPERATION_UNSUPPORTED: DriverUnsupported,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: DriverUnsupported,
    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED: DriverUnsupported,
    libvirt.VIR_ERR_INVALID_ARG: DriverInvalid,
    libvirt.VIR_ERR_NO_CONNECT: DriverUnavailable,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: DriverUnavailable,
}
FULL = ("No space left on device", "has insufficient free space")
"""Words of the system for a full file system, and of LVM for a full volume group."""
CONNECTION_DOMAINS = frozenset({libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE})
CONNECTION_CODES = frozenset({libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_RPC})


def read_each(listed: Iterable[T], read: Callable[[T], R], gone: int) -> tuple[R, ...]:
    """Return what is read of each entry; one that vanished since it was listed (error code ``gone``) is left out.

    Raises libvirtError for every other trouble.
    """
    results = []
    for entry in listed:
        try:
            results.append(read(entry))
        except libvirt.libvirtError as error:
            if error.get_error_code() != gone:
                raise
    return tuple(results)


def is_connection_lost(error: libvirt.libvirtError) -> bool:
    """Return whether the error is one of libvirt's client, and so of the connection, not of what was asked."""
    return error.get_error_domain() in CONNECTION_DOMAINS and error.get_error_code() in CONNECTION_CODES


def is_pool_busy(error: libvirt.libvirtError) -> bool:
    """Return whether the pool has jobs running, or the volume is being filled: libvirt has no codes for these."""
    if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
        return "still being allocated" in str(error)
    return error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR and "asynchronous jobs" in str(error)


def is_shaping_missing(error: libvirt.libvirtError) -> bool:
    """Return whether the kernel lacks what limits bandwidth; libvirt only has its command's words for that."""
    return error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR and "Child process (tc " in str(error)


def translated(error: libvirt.libvirtError) -> DriverError:
    """Return the typed error, with libvirt's own words."""
    text = error.get_error_message() or str(error)
    if is_connection_lost(error):
        return DriverUnavailable(f"libvirt does not answer: {text}")
    if any(words in text for words in FULL):
        return DriverNoSpace(f"the pool is full: {text}")
    if "while writing VM state" in text:
        # All that QEMU tells of a file system which is full.
        return DriverNoSpace(f"the guest's memory could not be written; is the pool full? {text}")
    if is_shaping_missing(error):
        return DriverUnsupported(
            f"this host cannot limit bandwidth, as a classOfService or networkBandwidth asks: {text}"
        )
    if is_pool_busy(error):
        return DriverBusy(f"the pool is busy: {text}")
    return TYPES.get(error.get_error_code(), DriverFailed)(text)
