"""The networks of the host in memory say no where libvirt does: of entries and leases that are not the gateway's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.base import (
    GUARD_HOST,
    DomainFacts,
    DriverConflict,
    InterfaceFacts,
    InterfaceSpec,
    Lease,
    Power,
    Reservation,
    ServedRange,
)
from drivers.memory import MemoryDriver

MAC, OTHER, UNUSED = "52:54:00:00:00:01", "52:54:00:00:00:02", "02:00:00:00:00:01"
IP, ANOTHER = "192.168.122.5", "192.168.122.200"
OURS = frozenset({UNUSED, MAC})


@pytest.fixture
async def driver() -> MemoryDriver:
    opened = MemoryDriver()
    await opened.open()
    return opened


def keep(driver: MemoryDriver, *entries: Reservation) -> None:
    driver.state.networks["default"] = replace(driver.state.networks["default"], reservations=entries)


def kept(driver: MemoryDriver) -> tuple[Reservation, ...]:
    return driver.state.networks["default"].reservations


def serve(driver: MemoryDriver, *spans: tuple[str, str]) -> None:
    served = ServedRange("192.168.122.1/24", spans)
    driver.state.networks["default"] = replace(driver.state.networks["default"], served=served)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (Reservation(ANOTHER, MAC, "web"), "admin keeps"),
        (Reservation(IP, OTHER), "kept for another"),
        (Reservation(IP, UNUSED, "web"), "kept for another"),
    ],
)
async def test_an_entry_of_somebody_elses_stays_and_is_a_conflict(
    driver: MemoryDriver, entry: Reservation, words: str
) -> None:
    keep(driver, entry)
    with pytest.raises(DriverConflict, match=words):
        await driver.addresses.take("default", Reservation(IP, MAC), OURS)
    assert kept(driver) == (entry,)


async def test_what_dhcp_gave_to_a_foreign_guest_is_not_taken(driver: MemoryDriver) -> None:
    driver.state.leases["default"] = (Lease(OTHER, IP, 24, None, 0),)
    with pytest.raises(DriverConflict, match="given to a guest"):
        await driver.addresses.take("default", Reservation(IP, UNUSED), OURS)


async def test_what_an_admin_keeps_for_this_mac_and_address_is_used_as_it_is(driver: MemoryDriver) -> None:
    entry = Reservation(IP, MAC.upper(), "web")
    keep(driver, entry)
    await driver.addresses.take("default", Reservation(IP, MAC), OURS)
    assert kept(driver) == (entry,)


async def test_an_entry_takes_the_place_of_ours_and_of_the_macs_own(driver: MemoryDriver) -> None:
    keep(driver, Reservation(IP, UNUSED), Reservation(ANOTHER, MAC))
    await driver.addresses.take("default", Reservation(IP, MAC), OURS)
    assert kept(driver) == (Reservation(IP, MAC),)


async def test_one_that_is_left_goes_and_one_that_an_admin_named_stays(driver: MemoryDriver) -> None:
    entries = Reservation(IP, UNUSED), Reservation(ANOTHER, MAC, "web")
    keep(driver, *entries)
    for entry in entries:
        await driver.addresses.leave("default", entry.ip, OURS)
    assert kept(driver) == entries[1:]


def test_interfaces_get_addresses_of_all_spans_and_a_full_range_is_a_conflict(driver: MemoryDriver) -> None:
    serve(driver, ("192.168.122.2", "192.168.122.3"), ("192.168.122.9", "192.168.122.9"))
    for number in range(3):
        driver.addresses.own_address(InterfaceSpec(f"52:54:00:00:00:{number:02x}", "default", filter=GUARD_HOST))
    assert {entry.ip for entry in kept(driver)} == {f"192.168.122.{number}" for number in (2, 3, 9)}
    with pytest.raises(DriverConflict, match="no address is free"):
        driver.addresses.own_address(InterfaceSpec("52:54:00:00:00:99", "default", filter=GUARD_HOST))


async def test_a_guest_without_an_address_of_its_own_is_held_to_one_and_another_is_told(driver: MemoryDriver) -> None:
    serve(driver, (IP, IP))
    for uuid, mac in (("one", MAC), ("two", OTHER)):
        driver.state.interface_specs[mac] = InterfaceSpec(mac, "default", filter=GUARD_HOST)
        nic = InterfaceFacts(mac, "default", True, None)
        driver.state.domains[uuid] = DomainFacts(uuid, uuid, Power.OFF, "", True, 1, 1024, (), (nic,), uuid)
    done = await driver.addresses.hold_guests()
    assert (done.macs, list(done.failed)) == ((MAC,), ["two"])
    assert kept(driver) == (Reservation(IP, MAC),)
