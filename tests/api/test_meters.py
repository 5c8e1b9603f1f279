"""Meters: what their samples say, and how they are read."""

from __future__ import annotations

from typing import Any

import aiosqlite
import pytest

from drivers.base import DriverUnavailable, Power
from drivers.memory import MemoryDriver, Usage
from gateway.app import Gateway
from gateway.orchestration.monitoring import sampler
from tests.api.client import ApiClient
from tests.api.meters import Look, create, made, samples

pytestmark = pytest.mark.slow

# Samples


async def test_cpu_is_the_share_of_its_processors_that_a_guest_used(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    meter = await made(admin, machine)
    await look()
    usage.cpu_seconds += 4
    await look(10)
    [value] = await samples(admin, meter)
    assert value == pytest.approx(40, abs=1)


@pytest.mark.parametrize(
    ("aspect", "attribute", "expected"),
    [
        ("diskRead", "read_bytes", 100),
        ("diskWrite", "written_bytes", 100),
        ("inputBandwidth", "received_bytes", 800),
        ("outputBandwidth", "sent_bytes", 800),
    ],
)
async def test_counters_show_as_what_was_done_a_second(
    admin: ApiClient, machine: str, usage: Usage, look: Look, aspect: str, attribute: str, expected: float
) -> None:
    meter = await made(admin, machine, aspect)
    await look()
    setattr(usage, attribute, 1_000_000)
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(expected)]


async def test_sizes_show_at_once(admin: ApiClient, machine: str, usage: Usage, look: Look) -> None:
    memory, capacity = await made(admin, machine, "memory"), await made(admin, machine, "diskCapacity")
    usage.memory_used_kib = 4711
    await look()
    assert await samples(admin, memory) == [4711]
    assert await samples(admin, capacity) == [pytest.approx(33554.432)]


async def test_time_in_power_is_counted(admin: ApiClient, machine: str, driver: MemoryDriver, look: Look) -> None:
    meter = await made(admin, machine, "runningTime")
    await look()
    await look(10)
    driver.externally(machine.rpartition("/")[2], Power.PAUSED)
    await look(10)
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(value) for value in (10, 5, 0)]


async def test_the_cloud_entry_point_shows_what_all_machines_use_together(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver, look: Look
) -> None:
    second = (await admin.post("machines", admin.machine(image), Prefer="wait=10")).location
    uuids = [url.rpartition("/")[2] for url in (machine, second)]
    for uuid in uuids:
        driver.state.usage[uuid] = Usage(memory_used_kib=1000)
    aspects = ("cpu", "memory", "bandwidth")
    meters = [(await admin.post("meters", create(aspect, admin.base))).location for aspect in aspects]
    await look()
    driver.state.usage[uuids[0]].cpu_seconds += 10
    driver.state.usage[uuids[1]].received_bytes += 10_000
    await look(10)
    found = [await samples(admin, meter) for meter in meters]
    assert found == [[pytest.approx(50)], [2000, 2000], [pytest.approx(8)]]


async def test_a_network_shows_what_its_guests_send_and_receive(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    network = (await admin.document("networks"))["networks"][0]["id"]
    meter = await made(admin, network, "bandwidth")
    await look()
    usage.received_bytes, usage.sent_bytes = 1_000_000, 500_000
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(1200)]


async def test_a_volume_shows_what_passes_through_it_while_a_guest_has_it(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    config = {"type": "http://schemas.dmtf.org/cimi/1/mapped", "capacity": 50_000}
    volume = (await admin.post("volumes", {"volumeTemplate": {"volumeConfig": config}}, Prefer="wait=10")).location
    meters = [await made(admin, volume, aspect) for aspect in ("diskCapacity", "inputBandwidth", "outputBandwidth")]
    await look()
    assert [await samples(admin, meter) for meter in meters] == [[], [], []]
    connected = await admin.post(f"{machine}/volumes", {"volume": {"href": volume}}, Prefer="wait=10")
    assert connected.status == 201, connected.text
    usage.disk = "vdb"
    await look(10)
    usage.written_bytes, usage.read_bytes = 1_000_000, 500_000
    await look(10)
    found = [(await samples(admin, meter))[-1] for meter in meters]
    assert found == [pytest.approx(50_331.648), pytest.approx(800), pytest.approx(400)]


async def test_networks_and_their_ports_come_with_meters_and_show_what_passes(
    admin: ApiClient, image: str, driver: MemoryDriver, look: Look
) -> None:
    asked = {"meterTemplates": [create("bandwidth")["meterTemplate"]]}
    network_template = {"networkConfig": {"networkType": "PRIVATE"}, **asked}
    network = await admin.post("networks", {"networkTemplate": network_template}, Prefer="wait=10")
    assert network.status == 201, network.text
    asked = {"meterTemplates": [create("inputBandwidth")["meterTemplate"]]}
    port_template = {"network": {"href": network.location}, **asked}
    port = await admin.post("networkPorts", {"networkPortTemplate": port_template}, Prefer="wait=10")
    assert port.status == 201, port.text
    interfaces = [{"networkPort": {"href": port.location}}]
    machine = await admin.post("machines", admin.machine(image, networkInterfaces=interfaces), Prefer="wait=10")
    assert machine.status == 201, machine.text
    meters = [(await admin.document(f"{url}/meters"))["meters"][0]["id"] for url in (network.location, port.location)]
    usage = driver.state.usage.setdefault(machine.location.rpartition("/")[2], Usage())
    await look()
    usage.received_bytes, usage.sent_bytes = 1_000_000, 500_000
    await look(10)
    found = [(await samples(admin, meter))[-1] for meter in meters]
    assert found == [pytest.approx(1200), pytest.approx(800)]


async def test_what_was_not_seen_is_a_gap_and_no_zero(
    admin: ApiClient, machine: str, driver: MemoryDriver, usage: Usage, look: Look
) -> None:
    meters = [await made(admin, machine, aspect) for aspect in ("cpu", "memory")]
    await look()
    usage.stuck = True
    await look(10)
    usage.stuck = False
    driver.externally(machine.rpartition("/")[2], Power.OFF)
    await look(10)
    assert [len(await samples(admin, meter)) for meter in meters] == [0, 1]


async def test_what_a_guest_did_while_it_was_passed_over_once_is_counted_with_the_next_look(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    meter = await made(admin, machine)
    for stuck in (False, False, True, False):
        usage.stuck = stuck
        usage.cpu_seconds += 1
        await look(10)
    assert await samples(admin, meter) == [pytest.approx(10, abs=1), pytest.approx(10, abs=1)]


async def test_a_guest_that_was_started_anew_makes_no_sample_of_counters_that_fell(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    meter = await made(admin, machine)
    usage.cpu_seconds = 100
    await look()
    usage.run, usage.cpu_seconds = 2, 200
    await look(10)
    assert await samples(admin, meter) == []
    usage.cpu_seconds += 1
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(10, abs=1)]


async def test_one_stuck_guest_does_not_hold_up_the_others(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver, usage: Usage, look: Look
) -> None:
    second = (await admin.post("machines", admin.machine(image), Prefer="wait=10")).location
    meters = [await made(admin, url, "memory") for url in (machine, second)]
    usage.stuck = True
    await look()
    assert [len(await samples(admin, meter)) for meter in meters] == [0, 1]


async def test_while_the_hypervisor_is_away_there_are_no_samples_and_none_are_made_up_later(
    admin: ApiClient, machine: str, driver: MemoryDriver, usage: Usage, look: Look
) -> None:
    meter = await made(admin, machine)
    await look()
    driver.lose()
    with pytest.raises(DriverUnavailable):
        await look(100)
    driver.regain()
    usage.cpu_seconds += 100
    await look()
    assert await samples(admin, meter) == []


async def test_a_full_disk_of_the_store_makes_a_gap_and_no_more(
    admin: ApiClient, machine: str, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = await made(admin, machine, "memory")

    async def full(*_rows: Any) -> None:
        raise aiosqlite.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(sampler, "append_samples", full)
        await look()
    assert await samples(admin, meter) == []
    await look(10)
    await look(10)
    assert len(await samples(admin, meter)) == 2


async def test_samples_come_no_more_often_than_asked(admin: ApiClient, machine: str, look: Look) -> None:
    slow, quick = await made(admin, machine, "memory", sampleInterval=30), await made(admin, machine, "memory")
    for _ in range(7):
        await look(10)
    assert [len(await samples(admin, meter)) for meter in (slow, quick)] == [3, 7]


async def test_an_interval_is_one_sample_at_its_end(admin: ApiClient, machine: str, usage: Usage, look: Look) -> None:
    meter = await made(admin, machine, "memory", timeScope="interval", intervalDuration="hourly")
    assert (await admin.document(meter))["intervalDuration"] == "PT1H"
    for used in (1000, 3000):
        usage.memory_used_kib = used
        await look(10)
    assert await samples(admin, meter) == []
    await look(3600)
    [sample] = (await admin.document(f"{meter}/samples"))["samples"]
    assert sample["value"] == "2000"
    assert sample["timestamp"].endswith(":00:00.000Z")
    assert sample["sample"] == {"timestamp": sample["timestamp"], "value": "2000"}


# Reading samples


@pytest.fixture
async def history(admin: ApiClient, machine: str, usage: Usage, look: Look) -> str:
    """A meter with the values 100, 101, ... 109."""
    meter = await made(admin, machine, "memory")
    for used in range(100, 110):
        usage.memory_used_kib = used
        await look(10)
    return meter


async def test_samples_are_paged_sorted_and_filtered(admin: ApiClient, history: str) -> None:
    assert await samples(admin, history, "?$first=3&$last=5") == [102, 103, 104]
    assert await samples(admin, history, "?$orderby=timestamp:desc&$last=2") == [109, 108]
    assert await samples(admin, history, "?$orderby=value:desc&$last=1") == [109]
    assert await samples(admin, history, "?$filter=value='104'") == [104]
    listed = (await admin.document(f"{history}/samples"))["samples"]
    third, fifth = listed[2]["timestamp"], listed[4]["timestamp"]
    page = await admin.document(f"{history}/samples?$filter=timestamp>={third}%20and%20timestamp<{fifth}&$last=1")
    assert (page["count"], [sample["value"] for sample in page["samples"]]) == (2, ["102"])


async def test_a_sample_can_be_read_alone_and_not_changed(admin: ApiClient, history: str) -> None:
    listed = (await admin.document(f"{history}/samples"))["samples"]
    assert await admin.document(listed[4]["id"]) == listed[4]
    assert "operations" not in listed[4]
    assert (await admin.get(f"{history}/samples/12345")).status == 404
    for method in ("PUT", "DELETE"):
        assert (await admin.request(method, listed[4]["id"], {})).status == 405
    assert (await admin.post(f"{history}/samples", {})).status == 405


async def test_samples_outlive_a_restart(
    admin: ApiClient, history: str, gateway: Gateway, driver: MemoryDriver
) -> None:
    await gateway.stop()
    await gateway.start()
    driver.state.seconds_ahead += 10
    await gateway.sampler.look(driver)
    values = await samples(admin, history)
    assert values[:10] == list(range(100, 110))
    assert len(values) == 11


async def test_the_least_interval_is_published(admin: ApiClient) -> None:
    metadata = await admin.document("resourceMetadata/Meter")
    values = {entry["name"]: entry["value"] for entry in metadata["capabilities"]}
    assert values == {"MeterConfigByValue": True, "MeterTemplateByValue": True, "LeastSampleInterval": 10}


async def test_guests_show_in_metrics_from_the_same_look(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    usage.cpu_seconds = 12.5
    await look()
    text = (await admin.get(admin.base.removesuffix("cimi/") + "metrics")).text
    uuid = machine.rpartition("/")[2]
    assert f'cimi_guest_cpu_seconds_total{{hypervisor="local",machine="{uuid}"}} 12.5' in text
    assert f'cimi_guest_disk_bytes{{disk="vda",hypervisor="local",machine="{uuid}"}}' in text
