"""Hosts on which nothing but a user keeps guests apart: told at the start, and refused where the admin says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from structlog.testing import capture_logs

from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.patience import eventually

pytestmark = pytest.mark.slow


def told(lines: list[Any]) -> list[tuple[str, str]]:
    return [(line["event"], line["log_level"]) for line in lines if "confined" in line["event"]]


@pytest.mark.parametrize(
    ("confinement", "line"),
    [("apparmor", ("guests are confined", "info")), ("", ("guests are not confined", "warning"))],
)
async def test_the_start_says_whether_guests_are_confined(
    confinement: str, line: tuple[str, str], settings: config.Settings, driver: MemoryDriver
) -> None:
    driver.state.confinement = confinement
    with capture_logs() as lines:
        gateway = Gateway(settings, {driver.name: driver})
        await gateway.start()
        await eventually(lambda: told(lines), "a line about confinement")
        await gateway.stop()
    assert told(lines) == [line]


async def test_machines_are_made_and_started_on_an_unconfined_host_unless_the_admin_says_otherwise(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.state.confinement = ""
    made = await admin.post("machines", admin.machine(image), Prefer="wait=30")
    assert made.status == 201, made.text
    assert (await admin.document(made.location))["state"] == "STARTED"
    assert (await admin.acted(made.location, "restart"))["state"] == "SUCCESS"


@pytest.mark.parametrize("hypervisor", [{"require_confinement": True}])
class TestWhereItIsRequired:
    @pytest.mark.parametrize("media", ["json", "xml"])
    async def test_no_machine_is_made_on_an_unconfined_host(
        self, media: str, image: str, driver: MemoryDriver, client: Callable[..., ApiClient]
    ) -> None:
        driver.state.confinement = ""
        admin = client("admin", media)
        answer = await admin.post("machines", admin.machine(image))
        assert answer.status == 503, answer.text
        assert "require_confinement" in answer.text

    @pytest.mark.parametrize("action", ["start", "restart"])
    async def test_no_machine_is_started_there(
        self, action: str, admin: ApiClient, machine: str, driver: MemoryDriver
    ) -> None:
        if action == "start":
            await admin.acted(machine, "stop", force=True)
        driver.state.confinement = ""
        answer = await admin.act(machine, action)
        assert answer.status == 503, answer.text

    async def test_a_guest_that_runs_is_stopped_and_deleted_there_as_ever(
        self, admin: ApiClient, machine: str, driver: MemoryDriver
    ) -> None:
        driver.state.confinement = ""
        await admin.act(machine, "stop", force=True)
        gone = await admin.delete(machine, Prefer="wait=30")
        assert gone.status in (200, 202, 204), gone.text

    async def test_a_confined_host_is_as_any_other(self, admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
        driver.state.confinement = "selinux"
        assert (await admin.document(machine))["state"] == "STARTED"
        assert (await admin.acted(machine, "restart"))["state"] == "SUCCESS"
