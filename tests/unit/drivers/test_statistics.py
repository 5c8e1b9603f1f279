"""libvirt's statistics of a domain as a reading: what it does not tell is not made up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import libvirt
import pytest

from drivers.base import Power
from drivers.libvirt.statistics import Moment, _domain

RUNNING: dict[str, Any] = {
    "state.state": libvirt.VIR_DOMAIN_RUNNING,
    "state.reason": 1,
    "cpu.time": 7_500_000_000,
    "balloon.current": 131072,
    "balloon.available": 94504,
    "balloon.usable": 70232,
    "balloon.last-update": 1000,
    "balloon.rss": 240616,
    "vcpu.current": 2,
    "net.count": 1,
    "net.0.name": "vnet7",
    "net.0.rx.bytes": 20354,
    "net.0.tx.bytes": 2004,
    "block.count": 1,
    "block.0.name": "vda",
    "block.0.path": "/pool/a.qcow2",
    "block.0.rd.bytes": 100,
    "block.0.wr.bytes": 200,
    "block.0.capacity": 33554432,
    "block.0.physical": 204800,
}
TAPS = {"vnet7": ("52:54:00:00:00:01", "default")}


def reading(
    run: int = 5, now: float = 1010.0, without: tuple[str, ...] = (), more: Mapping[str, int] | None = None
) -> Any:
    fields = {
        name: value for name, value in {**RUNNING, **(more or {})}.items() if not name.startswith(without or ("-",))
    }
    return _domain("u", run, fields, TAPS, Moment(1.0, now))


def test_a_running_domain_is_read_whole() -> None:
    found = reading()
    assert (found.run, found.power, found.cpus, found.cpu_seconds) == (5, Power.RUNNING, 2, 7.5)
    assert (found.memory_kib, found.memory_used_kib) == (131072, 94504 - 70232)
    [disk], [nic] = found.disks, found.interfaces
    assert (disk.target, disk.read_bytes, disk.written_bytes, disk.used) == ("vda", 100, 200, 204800)
    assert (nic.mac, nic.network, nic.received_bytes, nic.sent_bytes) == ("52:54:00:00:00:01", "default", 20354, 2004)


def test_a_guest_that_tells_nothing_of_its_memory_uses_what_it_takes_of_the_host_at_most_what_it_has() -> None:
    assert reading(now=2000.0).memory_used_kib == 131072
    assert reading(now=2000.0, more={"balloon.rss": 50_000}).memory_used_kib == 50_000


def test_of_a_stuck_guest_only_what_needs_no_answer_of_it_is_known() -> None:
    found = reading(without=("block.", "balloon.", "net."))
    assert (found.cpu_seconds, found.memory_used_kib, found.disks, found.interfaces) == (7.5, None, (), ())


def test_of_a_domain_that_is_off_no_counters_are_known() -> None:
    found = reading(run=-1, more={"state.state": libvirt.VIR_DOMAIN_SHUTOFF})
    assert (found.run, found.power, found.cpu_seconds, found.memory_used_kib) == (None, Power.OFF, None, None)


def test_the_holes_in_the_disk_of_a_domain_that_is_off_take_no_room() -> None:
    [disk] = reading(run=-1, more={"block.0.physical": 104_857_600, "block.0.allocation": 1_048_576}).disks
    assert disk.used == 1_048_576


@pytest.mark.parametrize(
    ("reason", "power"),
    [(libvirt.VIR_DOMAIN_PAUSED_USER, Power.PAUSED), (libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT, Power.RUNNING)],
)
def test_a_pause_that_libvirt_makes_for_a_moment_is_none(reason: int, power: Power) -> None:
    assert reading(more={"state.state": libvirt.VIR_DOMAIN_PAUSED, "state.reason": reason}).power is power


def test_a_guest_that_lies_about_its_memory_uses_at_most_what_it_was_given() -> None:
    lie = {"balloon.available": 2**54, "balloon.usable": 0, "balloon.maximum": 131072}
    assert reading(more=lie).memory_used_kib == 131072
    assert reading(more={**lie, "balloon.current": 2**64 - 1}).memory_used_kib == 131072
    assert reading(more={**lie, "balloon.current": 2**64 - 1}).memory_kib == 131072
