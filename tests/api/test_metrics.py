"""/metrics for Prometheus, and health: who may read them, and what they say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from gateway.config import MetricsSettings
from tests.api.client import ApiClient
from tests.gateway_process import free_port
from tests.patience import eventually

Samples = Callable[..., float]


def parsed(text: str) -> Samples:
    """``value("cimi_resources", kind="Machine", state="STARTED")``; 0 when there is no such sample."""
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def value(name: str, **labels: str) -> float:
        fitting = [s.value for s in found if s.name == name and labels.items() <= s.labels.items()]
        return float(sum(fitting))

    return value


@pytest.fixture
async def metrics(admin: ApiClient) -> AsyncIterator[Callable[[], object]]:
    async def read() -> Samples:
        answer = await admin.get(admin.base.removesuffix("cimi/") + "metrics")
        assert answer.status == 200, answer.text
        return parsed(answer.text)

    yield read


async def test_they_are_for_admins(admin: ApiClient, client: Callable[..., ApiClient]) -> None:
    url = admin.base.removesuffix("cimi/") + "metrics"
    assert (await ApiClient(admin.session, admin.base, "").get(url)).status == 401
    assert (await ApiClient(admin.session, admin.base, "admin", password="x").get(url)).status == 401
    for user in ("operator", "viewer"):
        assert (await client(user).get(url)).status == 403


async def test_a_listener_for_scrapers_serves_them_and_nothing_else(
    settings: config.Settings, driver: MemoryDriver, session: aiohttp.ClientSession
) -> None:
    listen = f"127.0.0.1:{free_port()}"
    running = Gateway(replace(settings, metrics=MetricsSettings(listen)), {driver.name: driver})
    await running.start()
    try:
        async with session.get(f"http://{listen}/metrics") as answer:
            assert answer.status == 200
            assert "version=" in answer.headers["Content-Type"]
            assert parsed(await answer.text())("cimi_libvirt_up", hypervisor="local") == 1
        async with session.get(f"http://{listen}/cimi/") as answer:
            assert answer.status == 404
    finally:
        await running.stop()


async def test_requests_are_counted_and_timed(admin: ApiClient, machine: str, metrics: Callable[[], object]) -> None:
    for _ in range(3):
        await admin.get(machine)
    await admin.get("machines/none")
    await admin.get("elsewhere")
    value = await metrics()  # type: ignore[misc]
    assert value("cimi_http_requests_total", method="GET", target="Machine", status="200") == 3
    assert value("cimi_http_requests_total", method="GET", target="Machine", status="404") == 1
    assert value("cimi_http_requests_total", target="other", status="404") == 1
    assert value("cimi_http_request_seconds_count", method="GET", target="Machine") == 4


async def test_jobs_are_timed_and_resources_counted_by_state(
    admin: ApiClient, machine: str, driver: MemoryDriver, metrics: Callable[[], object]
) -> None:
    await admin.acted(machine, "stop")
    driver.fail_next("domains.start", DriverFailed("no"))
    await admin.acted(machine, "start")
    value = await metrics()  # type: ignore[misc]
    assert value("cimi_job_seconds_count", action="stop", state="SUCCESS") == 1
    assert value("cimi_job_seconds_count", action="start", state="FAILED") == 1
    assert value("cimi_resources", kind="Machine", state="STOPPED") == 1
    assert value("cimi_resources", kind="Job", state="FAILED") == 1
    assert value("cimi_jobs_active") == value("cimi_jobs_waiting") == 0


async def test_a_job_that_runs_is_seen_as_active(
    admin: ApiClient, machine: str, driver: MemoryDriver, metrics: Callable[[], object]
) -> None:
    driver.state.deaf = True
    await admin.act(machine, "stop")

    async def active() -> bool:
        return bool((await metrics())("cimi_jobs_active") == 1)  # type: ignore[misc]

    await eventually(active, "the job is seen")


async def test_the_hypervisors_connection_and_calls_are_seen(
    admin: ApiClient, machine: str, driver: MemoryDriver, metrics: Callable[[], object]
) -> None:
    value = await metrics()  # type: ignore[misc]
    assert value("cimi_libvirt_up", hypervisor="local") == 1
    assert value("cimi_libvirt_call_seconds_count", hypervisor="local", outcome="success") > 0
    driver.lose()
    value = await metrics()  # type: ignore[misc]
    assert value("cimi_libvirt_up", hypervisor="local") == 0
    assert value("cimi_libvirt_connection", hypervisor="local", state="down") == 1
    assert value("cimi_libvirt_connection", hypervisor="local", state="up") == 0


async def test_they_say_how_the_process_does(metrics: Callable[[], object]) -> None:
    assert (await metrics())("process_resident_memory_bytes") > 0  # type: ignore[misc]


async def test_health_says_which_hypervisor_is_away(admin: ApiClient, driver: MemoryDriver) -> None:
    url = admin.base.removesuffix("cimi/") + "health/ready"
    assert (await admin.get(url)).json == {"status": "ready", "reasons": []}
    driver.lose()
    answer = await admin.get(url)
    assert (answer.status, answer.json["reasons"]) == (503, ["the hypervisor local is down"])
