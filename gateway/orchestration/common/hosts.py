"""Hosts as services see them: those without entry, what is demanded of a host, and its errors as answers.

The ``[[hypervisor]]`` of a host may be removed or renamed while records of what is there stay (docs/hosts.md). Their
resources can be read, not changed, and deleted: then the record goes, and what may be on the host stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

from drivers.base import (
    PARTS,
    ConnectionState,
    Driver,
    DriverBusy,
    DriverConflict,
    DriverError,
    DriverFailed,
    DriverInvalid,
    DriverNoSpace,
    DriverNotFound,
    DriverUnavailable,
    DriverUnreachable,
    DriverUnsupported,
    HostFacts,
    HypervisorSettings,
)
from gateway.errors import BadGateway, Conflict, GatewayError, Invalid, NoSpace, NotImplementedHere, Unavailable
from gateway.jobs.execution import Failure

TABLE: dict[type[DriverError], type[GatewayError]] = {
    DriverNotFound: Conflict,
    DriverConflict: Conflict,
    DriverBusy: Unavailable,
    DriverUnavailable: Unavailable,
    DriverUnsupported: NotImplementedHere,
    DriverInvalid: Invalid,
    DriverNoSpace: NoSpace,
    DriverUnreachable: BadGateway,
    DriverFailed: GatewayError,
}
"""The answer to each of the drivers' errors."""
REMOVALS = frozenset(
    {
        "addresses.give_back",
        "addresses.leave",
        "addresses.take",
        "devices.update_interface",
        "domains.discard_saved",
        "domains.power_off",
        "domains.undefine",
        "filters.define",
        "filters.delete",
        "networks.delete",
        "networks.release_host",
        "networks.reserve_host",
        "snapshots.delete",
        "storage.delete_volume",
    }
)
"""Calls, with their part, by which a delete takes something away, or tells what stays that it has gone."""
OBSTACLE = "snapshots.obstacle"
"""The call that is made also while a Machine is only read; it is no coroutine."""


class AbsentPart:
    """The stand-in for a part of a Driver where the configuration has no entry: its host answers each call."""

    def __init__(self, host: UnconfiguredHost, part: str) -> None:
        self._host = host
        self._part = part

    def __getattr__(self, name: str) -> Any:
        """Return what the host has for the call of this name."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self._host.call(f"{self._part}.{name}")


class UnconfiguredHost:
    """The stand-in for drivers.base.Driver of a host without an entry: never UP, every call is refused."""

    connection = ConnectionState.DOWN
    twin = ""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def reason(self) -> str:
        """The reason why nothing can be changed there, and what to do, in words for people."""
        return (
            f"the hypervisor {self.name} is not in the configuration; an admin can put its [[hypervisor]] entry back, "
            "and if the host is gone for good, what was on it can be deleted"
        )

    def __getattr__(self, name: str) -> Any:
        """Return a part of the Driver, or a call of the Driver itself, which this host answers."""
        if name.startswith("_"):
            raise AttributeError(name)
        return AbsentPart(self, name) if name in PARTS else self.call(name)

    def call(self, name: str) -> Callable[..., Any]:
        """Return a call (``domains.start``) that raises DriverUnavailable, when called or when awaited.

        In place of ``snapshots.obstacle`` return a call that gives ``reason``, which is why there are no snapshots now.
        """

        def refuse(*_given: Any, **_named: Any) -> NoReturn:
            raise DriverUnavailable(self.reason)

        return (lambda _uefi, _formats: self.reason) if name == OBSTACLE else refuse


class ForgottenHost(UnconfiguredHost):
    """The stand-in for the same host in a delete: nothing is left there to be removed."""

    def call(self, name: str) -> Callable[..., Any]:
        """Return a call that does nothing when it removes, and otherwise raises DriverNotFound."""

        async def absent(*_given: Any, **_named: Any) -> bool:
            if name not in REMOVALS:
                raise DriverNotFound(f"the hypervisor {self.name} is not in the configuration: nothing is there")
            return False

        return super().call(name) if name == OBSTACLE else absent


class ConfiguredDrivers(dict[str, Driver]):
    """The drivers of the configuration by name; any other name gives an UnconfiguredHost, and is not kept."""

    def __missing__(self, name: str) -> Driver:
        return cast(Driver, UnconfiguredHost(name))


class ConfiguredHypervisors(dict[str, HypervisorSettings]):
    """The entries of the configuration by name; any other name gives one that has no pools and no networks."""

    def __missing__(self, name: str) -> HypervisorSettings:
        return HypervisorSettings(name, uri="", pool="", network="")


# The demands on a host


def is_configured(driver: Driver) -> bool:
    """Return whether the configuration has an entry of this host."""
    return not isinstance(cast(object, driver), UnconfiguredHost)


def for_delete(driver: Driver) -> Driver:
    """Return the driver by which a delete goes on: of a host without entry, one that has nothing any more."""
    return driver if is_configured(driver) else cast(Driver, ForgottenHost(driver.name))


def demand_up(driver: Driver) -> None:
    """Raise Unavailable while nothing can be changed on the host."""
    if not is_configured(driver):
        raise Unavailable(driver.reason)
    if driver.connection is not ConnectionState.UP:
        raise Unavailable(f"the hypervisor {driver.name} is {driver.connection.value}; try again later")


def demand_deletable(driver: Driver) -> None:
    """Raise Unavailable while nothing can be removed from the host; from one without entry nothing has to be."""
    if is_configured(driver):
        demand_up(driver)


def demand_confinement(settings: HypervisorSettings, host: HostFacts) -> None:
    """Raise Unavailable where guests have to be confined and are not."""
    if settings.require_confinement and not host.confinement:
        raise Unavailable(
            f"the hypervisor {settings.name} confines no guests, and its configuration requires that "
            "(require_confinement); the admin has to switch on SELinux or AppArmor for libvirt"
        )


async def check_confinement(settings: HypervisorSettings, driver: Driver) -> None:
    """Raise Unavailable when guests have to be confined on the host, and are not.

    Without SELinux or AppArmor a guest that breaks out of QEMU is the user that all guests run as, and has their disks.
    """
    if settings.require_confinement:
        with translating():
            host = await driver.host()
        demand_confinement(settings, host)


# The errors of drivers


def translated(error: DriverError) -> GatewayError:
    """Return the gateway's error for a driver's error, with the same message."""
    return TABLE.get(type(error), GatewayError)(str(error))


@contextmanager
def translating() -> Iterator[None]:
    """Raise the gateway's own error in place of a driver's error that leaves this block."""
    try:
        yield
    except DriverError as error:
        raise translated(error) from error


def failure(error: BaseException) -> Failure:
    """Return what a Job says about the error that ended it."""
    if isinstance(error, DriverError):
        error = translated(error)
    if isinstance(error, GatewayError):
        return Failure(error.return_code, error.message)
    return Failure(GatewayError.return_code, f"an internal error: {type(error).__name__}: {error}"[:500])
