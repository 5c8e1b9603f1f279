"""A host's clock that jumps loses nothing, is told, and leaves no times in the future. Over the whole gateway."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import clock, config
from gateway.app import Gateway
from gateway.clock import Clock
from gateway.orchestration.monitoring.clock_watch import ClockWatch
from gateway.orchestration.monitoring.retention import Retention
from gateway.orchestration.monitoring.sample_retention import DAY, HOUR, SampleRetention
from tests.api.client import ApiClient
from tests.api.event_logs import everything, of_type
from tests.api.images.transfers import RAW, put, waiting

pytestmark = pytest.mark.slow

MONTH = 40 * 86_400.0
CREDENTIAL = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}
CONFIGURATION = {"name": "small", "cpu": 1, "memory": 65536}


class Hands:
    """Both clocks of the host: time passes for both, and a jump is one of the wall clock alone. In seconds."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.jumped = 0.0

    def wall(self) -> float:
        return time.time() + self.passed + self.jumped

    def counted(self) -> float:
        return time.monotonic() + self.passed


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    held = Hands()
    monkeypatch.setattr(clock, "CLOCK", Clock(held.wall, held.counted))
    return held


@pytest.fixture
def settings(settings: config.Settings, hands: Hands) -> config.Settings:
    """Of a gateway that starts with that clock."""
    return settings


async def age(gateway: Gateway) -> None:
    """All that removes something for its age looks at the clock."""
    events = gateway.settings.events
    await gateway.runner.age()
    await Retention(gateway.store, events.most_per_log, events.most_overall, events.most_changes).age()
    await SampleRetention(gateway.store, (HOUR, DAY, DAY)).age()
    await gateway.sampler.age()
    await gateway._staging.sweep()


def moment(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


async def told(admin: ApiClient) -> list[str]:
    return [event["content"]["code"] for event in of_type(await everything(admin), "alarm")]


# Nothing is lost


@pytest.mark.parametrize("jump", [MONTH, -MONTH, 20 * 365 * 86_400.0, -50 * 365 * 86_400.0])
async def test_a_jump_loses_no_event_no_job_and_no_key(
    admin: ApiClient, gateway: Gateway, hands: Hands, jump: float
) -> None:
    made = await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")
    before = await everything(admin)
    hands.passed += 2 * 3600
    hands.jumped += jump
    await age(gateway)
    again = await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")
    assert (again.status, again.location) == (201, made.location)
    assert (await everything(admin))[: len(before)] == before
    assert (await admin.get(made.job)).status == 200


async def test_a_jump_that_stays_loses_nothing_either(admin: ApiClient, gateway: Gateway, hands: Hands) -> None:
    made = await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")
    hands.jumped += MONTH
    clock.now()
    hands.passed += 2 * 3600
    await age(gateway)
    assert datetime.now(UTC) + timedelta(days=30) < clock.now()
    assert (await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")).location == made.location
    assert (await admin.get(made.job)).status == 200


async def test_a_clock_that_was_wrong_when_the_host_booted_loses_nothing(
    admin: ApiClient, gateway: Gateway, hands: Hands
) -> None:
    made = await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")
    await gateway.stop()
    hands.jumped += MONTH
    clock.CLOCK = Clock(hands.wall, hands.counted)
    await gateway.start()
    await age(gateway)
    assert (await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")).location == made.location


async def test_what_is_old_by_both_clocks_is_removed(admin: ApiClient, gateway: Gateway, hands: Hands) -> None:
    made = await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")
    hands.passed += MONTH
    await age(gateway)
    assert (await admin.get(made.job)).status == 404
    assert await everything(admin) == []
    assert (await admin.post("credentials", CREDENTIAL, Idempotency_Key="one")).location != made.location


async def test_a_jump_removes_no_meter_and_no_upload(admin: ApiClient, gateway: Gateway, hands: Hands) -> None:
    upload = (await waiting(admin))["id"]
    assert (await put(admin, f"{upload}/upload", RAW[:512], Content_Range=f"bytes 0-511/{len(RAW)}")).status == 200
    expires = (datetime.now(UTC) + timedelta(days=10)).isoformat()
    body = {"targetResource": {"href": admin.base + "cloudEntryPoint"}, "meterConfig": {"href": "meterConfigs/cpu"}}
    meter = await admin.post("meters", {"meterTemplate": body})
    assert meter.status == 201, meter.text
    edited = await admin.put(f"{meter.location}?$select=expiresTime", {"expiresTime": expires})
    assert edited.status == 200, edited.text
    hands.passed += 2 * 3600
    hands.jumped += MONTH
    await age(gateway)
    assert (await admin.get(upload)).status == 200
    assert (await admin.get(meter.location)).status == 200
    hands.jumped, hands.passed = 0.0, MONTH
    await age(gateway)
    assert (await admin.get(upload)).status == 404
    assert (await admin.get(meter.location)).status == 404


# Times


async def test_events_after_a_short_jump_have_the_right_time(admin: ApiClient, hands: Hands) -> None:
    for jump in (MONTH, 0.0, -MONTH, 0.0):
        hands.jumped = jump
        await admin.post("machineConfigs", CONFIGURATION)
    times = [moment(event) for event in await everything(admin)]
    assert times == sorted(times)
    assert times[-1] < datetime.now(UTC) + timedelta(minutes=5)


async def test_events_after_a_long_jump_are_not_stuck_ahead(admin: ApiClient, hands: Hands) -> None:
    await admin.post("machineConfigs", CONFIGURATION)
    before = await everything(admin)
    for jump in (MONTH, 0.0):
        hands.jumped = jump
        clock.now()
        hands.passed += clock.PATIENCE + 1
        await admin.post("machineConfigs", CONFIGURATION)
    events = await everything(admin)
    times = [moment(event) for event in events]
    assert times == sorted(times)
    assert times[-1] < datetime.now(UTC) + timedelta(hours=1)
    assert events[: len(before)] == before
    since = times[-1].isoformat().replace("+00:00", "Z")
    assert len(await everything(admin, f"?$filter=timestamp>={since}")) == times.count(times[-1])


async def test_a_clock_that_was_ahead_when_the_gateway_started_leaves_no_events_ahead(
    admin: ApiClient, gateway: Gateway, hands: Hands
) -> None:
    await admin.post("machineConfigs", CONFIGURATION)
    before = await everything(admin)
    await gateway.stop()
    hands.jumped = MONTH
    clock.CLOCK = Clock(hands.wall, hands.counted)
    await gateway.start()
    await admin.post("machineConfigs", CONFIGURATION)
    hands.jumped = 0.0
    clock.now()
    hands.passed += clock.PATIENCE + 1
    await admin.post("machineConfigs", CONFIGURATION)
    events = await everything(admin)
    assert moment(events[-1]) < datetime.now(UTC) + timedelta(hours=1)
    assert events[: len(before)] == before


async def test_a_clock_that_fell_to_1970_keeps_the_times_of_what_was(
    admin: ApiClient, gateway: Gateway, hands: Hands
) -> None:
    await admin.post("machineConfigs", CONFIGURATION)
    before = await everything(admin)
    await gateway.stop()
    hands.jumped = -time.time()
    clock.CLOCK = Clock(hands.wall, hands.counted)
    await gateway.start()
    await admin.post("machineConfigs", CONFIGURATION)
    events = await everything(admin)
    assert events[: len(before)] == before
    assert [moment(event) for event in events] == sorted(moment(event) for event in events)


# What is told


@pytest.mark.parametrize(("jump", "words"), [(MONTH, "forward by 40 days"), (-MONTH, "back by 40 days")])
async def test_a_jump_is_told_and_so_is_its_end(
    admin: ApiClient, gateway: Gateway, hands: Hands, jump: float, words: str
) -> None:
    watch = ClockWatch(gateway.store)
    hands.jumped = jump
    await watch.look()
    await watch.look()
    [alarm] = of_type(await everything(admin), "alarm")
    assert (alarm["content"]["code"], alarm["outcome"]) == ("clock-jumped", "Warning")
    assert words in alarm["content"]["detail"]
    hands.jumped = 0.0
    await watch.look()
    assert await told(admin) == ["clock-jumped", "clock-back"]


async def test_a_jump_that_is_followed_is_told(admin: ApiClient, gateway: Gateway, hands: Hands) -> None:
    watch = ClockWatch(gateway.store)
    hands.jumped = MONTH
    await watch.look()
    hands.passed += clock.PATIENCE + 1
    await watch.look()
    assert await told(admin) == ["clock-jumped", "clock-followed"]


async def test_a_clock_that_is_set_by_seconds_is_no_news(admin: ApiClient, gateway: Gateway, hands: Hands) -> None:
    watch = ClockWatch(gateway.store)
    for step in (1.0, -90.0, 60.0):
        hands.jumped += step
        await watch.look()
    assert await told(admin) == []
