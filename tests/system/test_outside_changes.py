"""State truth is libvirt's: what an admin does with virsh, or a guest does itself, shows by libvirt's events."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Iterator
from statistics import median

import libvirt
import pytest

from gateway.orchestration.reconciliation import COMPARE_EVERY
from tests import hypervisor
from tests.cimi_client import CimiClient, wait_until
from tests.guests import console, machine_create, wait_ready
from tests.held_guest import qemu_of

pytestmark = pytest.mark.qemu
BY_AN_EVENT = COMPARE_EVERY / 3
"""Seconds that no change takes which libvirt's event tells; the comparison takes half of its period on average."""
SOON = 20.0


@pytest.fixture(scope="module")
def machine(admin: CimiClient, image: str) -> Iterator[str]:
    made = admin.added("machines", machine_create(image))
    wait_ready(admin, made["id"])
    yield made["id"]


@pytest.mark.timeout(120)
def test_suspend_resume_destroy_and_start_by_virsh_show_by_libvirts_events(admin: CimiClient, machine: str) -> None:
    delays = []
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        for change, state in (
            (domain.suspend, "PAUSED"),
            (domain.resume, "STARTED"),
            (domain.destroy, "STOPPED"),
            (domain.create, "STARTED"),
            (domain.managedSave, "SUSPENDED"),
            (domain.create, "STARTED"),
        ):
            change()
            began = time.monotonic()
            admin.wait_state(machine, state, SOON)
            delays.append(time.monotonic() - began)
    # The middle one: a busy host may hold one of them up.
    assert median(delays) < BY_AN_EVENT, delays


def test_a_killed_qemu_shows_as_an_error_which_start_mends(admin: CimiClient, machine: str) -> None:
    os.kill(qemu_of(machine), signal.SIGKILL)
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(machine, host)
        # libvirt itself takes a moment to notice.
        wait_until(lambda: not domain.isActive(), SOON, "libvirt notices that QEMU is gone")
    admin.wait_state(machine, "ERROR", SOON)
    admin.acted(machine, "start")
    assert admin.get(machine)["state"] == "STARTED"


def test_a_guest_that_powers_itself_off_shows_as_stopped(admin: CimiClient, machine: str) -> None:
    boots = console(admin, machine).count("READY")
    admin.acted(machine, "restart", force=True)
    wait_ready(admin, machine, boots + 1)
    with hypervisor.connection() as host:
        hypervisor.domain_of(machine, host).shutdown()
    admin.wait_state(machine, "STOPPED", 30)


def test_an_undefined_domain_shows_as_an_error_and_can_still_be_deleted(
    admin: CimiClient, image: str, pool: str
) -> None:
    before = hypervisor.files_in(pool)
    made = admin.added("machines", machine_create(image, "STOPPED"))
    with hypervisor.connection() as host:
        hypervisor.domain_of(made["id"], host).undefine()
    admin.wait_state(made["id"], "ERROR", SOON)
    admin.remove(made["id"])
    assert hypervisor.files_in(pool) == before


def test_a_running_domain_that_is_undefined_runs_on_and_can_be_deleted(
    admin: CimiClient, image: str, pool: str
) -> None:
    before = hypervisor.files_in(pool)
    made = admin.added("machines", machine_create(image))
    with hypervisor.connection() as host:
        hypervisor.domain_of(made["id"], host).undefine()
    assert admin.get(made["id"])["state"] == "STARTED"
    admin.remove(made["id"])
    assert hypervisor.files_in(pool) == before


def test_a_running_domain_that_is_undefined_outlives_its_next_stop(admin: CimiClient, image: str) -> None:
    made = admin.added("machines", machine_create(image))
    with hypervisor.connection() as host:
        domain = hypervisor.domain_of(made["id"], host)
        before = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        domain.undefine()
        wait_until(domain.isPersistent, 20, "the gateway defines the domain again")
        assert domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before
    admin.acted(made["id"], "stop", force=True)
    assert admin.get(made["id"])["state"] == "STOPPED"
    admin.acted(made["id"], "start")
    assert admin.get(made["id"])["state"] == "STARTED"
    admin.remove(made["id"])


def test_a_foreign_domain_is_neither_listed_nor_touched(admin: CimiClient, image: str) -> None:
    name = f"not-ours-{uuid.uuid4().hex[:8]}"
    xml = f"<domain type='qemu'><name>{name}</name><memory unit='KiB'>65536</memory><os><type>hvm</type></os></domain>"
    with hypervisor.connection() as host:
        foreign = host.defineXML(xml)
        try:
            names = [machine.get("name") for machine in admin.get("machines").get("machines", [])]
            assert name not in names
            assert foreign.UUIDString() not in str(admin.get("machines"))
        finally:
            foreign.undefine()
