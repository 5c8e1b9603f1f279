"""Hosts whose ``[[hypervisor]]`` was removed or renamed while records of what is there stayed (docs/hosts.md).

Their resources can be read, not changed, and deleted: then the record goes, and what may be on the host stays there.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast

from drivers.base import ConnectionState, Driver, DriverNotFound, DriverUnavailable, HypervisorSettings
from gateway.errors import Unavailable

REMOVALS = frozenset(
    {
        "define_reach",
        "delete_network",
        "delete_reach",
        "delete_snapshot",
        "delete_volume",
        "discard_saved",
        "give_back_addresses",
        "leave_address",
        "power_off",
        "release_host",
        "reserve_host",
        "take_address",
        "undefine_domain",
        "update_interface",
    }
)
"""Calls by which a delete takes something away, or tells what stays that it has gone."""


class UnconfiguredHost:
    """Stands in for drivers.base.Driver where the configuration has no entry: never UP, every call is refused."""

    connection = ConnectionState.DOWN
    twin = ""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def reason(self) -> str:
        """Why nothing can be changed there, and what to do, in words for people."""
        return (
            f"the hypervisor {self.name} is not in the configuration; an admin can put its [[hypervisor]] entry back, "
            "and if the host is gone for good, what was on it can be deleted"
        )

    def __getattr__(self, call: str) -> Any:
        """Return a call of the Driver that raises DriverUnavailable, when called or when awaited."""
        if call.startswith("_"):
            raise AttributeError(call)

        def refuse(*_given: Any, **_named: Any) -> NoReturn:
            raise DriverUnavailable(self.reason)

        return refuse

    def snapshot_obstacle(self, _uefi: bool, _formats: object) -> str:
        """Return why a Machine there has no snapshots now; asked also while it is only read."""
        return self.reason


class ForgottenHost(UnconfiguredHost):
    """The same host for a delete: it has nothing any more, so that nothing is left to be removed."""

    def __getattr__(self, call: str) -> Any:
        """Return a call that does nothing when it removes, and otherwise raises DriverNotFound."""
        if call.startswith("_"):
            raise AttributeError(call)

        async def absent(*_given: Any, **_named: Any) -> bool:
            if call not in REMOVALS:
                raise DriverNotFound(f"the hypervisor {self.name} is not in the configuration: nothing is there")
            return False

        return absent


class ConfiguredDrivers(dict[str, Driver]):
    """The drivers of the configuration by name; any other name gives an UnconfiguredHost, and is not kept."""

    def __missing__(self, name: str) -> Driver:
        return cast(Driver, UnconfiguredHost(name))


class ConfiguredHypervisors(dict[str, HypervisorSettings]):
    """The entries of the configuration by name; any other name gives one that has no pools and no networks."""

    def __missing__(self, name: str) -> HypervisorSettings:
        return HypervisorSettings(name, uri="", pool="", network="")


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
