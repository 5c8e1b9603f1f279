"""Meters: what may be measured of what, by whom, and what their samples say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite
import pytest

from drivers.base import DriverUnavailable, Power
from drivers.memory import MemoryDriver, Usage
from gateway.app import Gateway
from gateway.store.transaction import Transaction
from tests.api.client import ApiClient

NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"
ASPECT = "http://schemas.dmtf.org/cimi/1/aspect/"
Client = Callable[..., ApiClient]
Look = Callable[..., Awaitable[None]]


def create(aspect: str = "cpu", target: str | None = None, **config: Any) -> dict[str, Any]:
    template: dict[str, Any] = {"meterConfig": {"aspect": aspect, "sampleInterval": 10, **config}}
    if target is not None:
        template["targetResource"] = {"href": target}
    return {"name": aspect, "meterTemplate": template}


async def made(client: ApiClient, machine: str, aspect: str = "cpu", **config: Any) -> str:
    answer = await client.post(f"{machine}/meters", create(aspect, **config))
    assert answer.status == 201, answer.text
    return answer.location


async def samples(client: ApiClient, meter: str, query: str = "") -> list[float]:
    page = await client.document(f"{meter}/samples{query}")
    return [float(sample["value"]) for sample in page.get("samples", [])]


@pytest.fixture
def look(gateway: Gateway, driver: MemoryDriver) -> Look:
    """``await look(10)``: seconds go by, and the guests are looked at."""

    async def after(seconds: float = 0.0) -> None:
        driver.ahead += seconds
        await gateway.sampler.look(driver)

    return after


@pytest.fixture
def usage(driver: MemoryDriver, machine: str) -> Usage:
    return driver.usage.setdefault(machine.rpartition("/")[2], Usage())


# Creating


async def test_a_meter_made_at_its_machine_is_in_both_collections(admin: ApiClient, machine: str) -> None:
    meter = await made(admin, machine)
    shown = await admin.document(meter)
    assert shown["targetResource"]["href"] == machine
    assert (shown["aspect"], shown["units"]) == (f"{ASPECT}cpu", "percent")
    assert (shown["timeScope"], shown["isContinuous"], shown["sampleInterval"]) == ("Point", True, 10)
    assert (shown["minValue"], shown["maxValue"]) == ("0", "100")
    for collection in ("meters", f"{machine}/meters"):
        assert [entry["id"] for entry in (await admin.document(collection))["meters"]] == [meter]


async def test_a_meter_made_in_the_collection_of_all_is_in_that_of_its_target(admin: ApiClient, machine: str) -> None:
    answer = await admin.post("meters", create("memory", machine))
    assert answer.status == 201, answer.text
    assert (await admin.document(f"{machine}/meters"))["count"] == 1
    assert (await admin.document(answer.location))["maxValue"] == "131072"


async def test_the_shipped_configurations_are_found_at_stable_places(admin: ApiClient, machine: str) -> None:
    template = {"meterConfig": {"href": f"{admin.base}meterConfigs/memory"}}
    answer = await admin.post(f"{machine}/meters", {"meterTemplate": template})
    assert (await admin.document(answer.location))["sampleInterval"] == 60


async def test_a_template_by_reference_gives_way_to_what_stands_beside_it(admin: ApiClient, machine: str) -> None:
    config = {"href": f"{admin.base}meterConfigs/disk"}
    template = await admin.post("meterTemplates", {"name": "t", "meterConfig": config})
    assert template.status == 201, template.text
    given = {"href": template.location, "targetResource": {"href": machine}}
    meter = await admin.document((await admin.post("meters", {"meterTemplate": given})).location)
    assert (meter["aspect"], meter["targetResource"]["href"]) == (f"{ASPECT}disk", machine)


async def test_xml_clients_make_and_read_meters(admin: ApiClient, client: Client, machine: str, look: Look) -> None:
    xml = client("admin", "xml")
    body = f"""<MeterCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>m</name><meterTemplate><meterConfig>
      <associatedTo href="http://schemas.dmtf.org/cimi/1/Machine"/><aspect>{ASPECT}memory</aspect>
      <sampleInterval>10</sampleInterval></meterConfig></meterTemplate></MeterCreate>"""
    answer = await xml.post(f"{machine}/meters", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.findtext(f"{NAMESPACE}aspect") == f"{ASPECT}memory"
    await look()
    page = await xml.get(f"{answer.location}/samples")
    [sample] = page.xml.findall(f"{NAMESPACE}Sample/{NAMESPACE}sample")
    assert sample.get("value") == "65536"
    assert (sample.get("timestamp") or "").endswith("Z")


async def test_meters_come_with_the_machine_whose_template_asks_for_them(admin: ApiClient, image: str) -> None:
    by_reference = {"meterConfig": {"href": f"{admin.base}meterConfigs/cpu"}}
    asked = [by_reference, {"name": "ram", **create("memory")["meterTemplate"]}]
    document = admin.machine(image, meterTemplates=asked)
    answer = await admin.post("machines", document, Prefer="wait=10")
    meters = (await admin.document(f"{answer.location}/meters"))["meters"]
    assert sorted(meter["aspect"] for meter in meters) == [f"{ASPECT}cpu", f"{ASPECT}memory"]
    assert {meter["targetResource"]["href"] for meter in meters} == {answer.location}


async def test_a_machine_template_keeps_its_meter_templates(admin: ApiClient, image: str) -> None:
    template = {**admin.machine(image)["machineTemplate"], "meterTemplates": [create()["meterTemplate"]]}
    stored = await admin.post("machineTemplates", template)
    assert stored.status == 201, stored.text
    answer = await admin.post("machines", {"machineTemplate": {"href": stored.location}}, Prefer="wait=10")
    assert (await admin.document(f"{answer.location}/meters"))["count"] == 1


async def test_a_create_is_refused_whole_when_one_of_its_meters_is_wrong(admin: ApiClient, image: str) -> None:
    asked = [create()["meterTemplate"], create("bandwidth")["meterTemplate"]]
    answer = await admin.post("machines", admin.machine(image, meterTemplates=asked))
    assert answer.status == 400
    assert answer.message.startswith("machineTemplate.meterTemplates.1.meterConfig.aspect: ")
    assert (await admin.document("machines"))["count"] == 0


@pytest.mark.parametrize(
    ("config", "attribute"),
    [
        ({"aspect": "colour"}, "aspect"),
        ({"aspect": "bandwidth"}, "aspect"),
        ({"sampleInterval": 9}, "sampleInterval"),
        ({"sampleInterval": 0}, "sampleInterval"),
        ({"units": "miles"}, "units"),
        ({"timeScope": "Sometimes"}, "timeScope"),
        ({"timeScope": "Interval"}, "intervalDuration"),
        ({"intervalDuration": "hourly"}, "intervalDuration"),
        ({"timeScope": "Interval", "intervalDuration": "PT7M"}, "intervalDuration"),
        ({"associatedTo": [{"href": "http://schemas.dmtf.org/cimi/1/Network"}]}, "aspect"),
        ({"associatedTo": [{"href": "http://schemas.dmtf.org/cimi/1/CloudEntryPoint"}]}, "associatedTo"),
        ({"associatedTo": ["http://schemas.dmtf.org/cimi/1/Job"]}, "associatedTo.0"),
        ({"aspect": None}, "aspect"),
    ],
)
async def test_a_wrong_configuration_is_refused_by_name(
    admin: ApiClient, machine: str, config: dict[str, Any], attribute: str
) -> None:
    answer = await admin.post(f"{machine}/meters", create(**{"aspect": "cpu", **config}))
    assert answer.status == 400, answer.text
    assert f"meterConfig.{attribute}: " in answer.message
    assert (await admin.document("meters"))["count"] == 0


async def test_the_target_must_be_there_be_metered_and_be_the_owner_of_the_collection(
    admin: ApiClient, machine: str
) -> None:
    other = f"{admin.base}machines/none"
    for collection, target in (("meters", None), ("meters", other), ("meters", f"{admin.base}jobs/1")):
        answer = await admin.post(collection, create(target=target))
        assert (answer.status, answer.message.split(":")[0]) == (400, "meterTemplate.targetResource")
    answer = await admin.post(f"{machine}/meters", create(target=other))
    assert (answer.status, answer.message.split(":")[0]) == (400, "meterTemplate.targetResource")
    assert (await admin.post("machines/none/meters", create())).status == 404


async def test_a_resource_has_no_more_meters_than_the_configuration_allows(
    admin: ApiClient, machine: str, gateway: Gateway
) -> None:
    for _ in range(gateway.settings.monitoring.most_meters):
        await made(admin, machine)
    answer = await admin.post(f"{machine}/meters", create())
    assert answer.status == 409
    assert "50 meters" in answer.message


# Whose they are


async def test_others_meters_are_neither_seen_nor_made(admin: ApiClient, client: Client, image: str) -> None:
    operator, other, viewer = client("operator"), client("other"), client("viewer")
    machine = (await operator.post("machines", operator.machine(image), Prefer="wait=10")).location
    meter = await made(operator, machine)
    assert (await other.get(meter)).status == 404
    assert (await other.get(f"{meter}/samples")).status == 404
    assert (await other.get(f"{machine}/meters")).status == 404
    assert (await other.document("meters"))["count"] == 0
    assert (await other.post("meters", create(target=machine))).status == 400
    assert (await viewer.post("meters", create(target=machine))).status == 403
    assert (await admin.get(meter)).status == 200


async def test_a_meter_which_the_admin_makes_belongs_to_the_owner_of_its_machine(
    admin: ApiClient, client: Client, image: str
) -> None:
    operator = client("operator")
    machine = (await operator.post("machines", operator.machine(image), Prefer="wait=10")).location
    meter = await made(admin, machine)
    assert (await operator.get(meter)).status == 200


async def test_what_belongs_to_all_is_metered_by_admins_alone(admin: ApiClient, client: Client) -> None:
    for target, aspect in ((admin.base, "cpu"), ((await admin.document("networks"))["networks"][0]["id"], "bandwidth")):
        assert (await client("operator").post("meters", create(aspect, target))).status == 403
        meter = await admin.post("meters", create(aspect, target))
        assert meter.status == 201, meter.text
        assert (await admin.document(meter.location))["targetResource"]["href"] == target
        assert (await client("operator").get(meter.location)).status == 404


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
    assert await samples(admin, meter) == [pytest.approx(expected, rel=0.02)]


async def test_sizes_show_at_once(admin: ApiClient, machine: str, usage: Usage, look: Look) -> None:
    memory, capacity = await made(admin, machine, "memory"), await made(admin, machine, "diskCapacity")
    usage.memory_used_kib = 4711
    await look()
    assert await samples(admin, memory) == [4711]
    assert await samples(admin, capacity) == [pytest.approx(33554.432)]


async def test_time_in_power_is_counted(
    admin: ApiClient, machine: str, driver: MemoryDriver, look: Look
) -> None:
    meter = await made(admin, machine, "runningTime")
    await look()
    await look(10)
    driver.externally(machine.rpartition("/")[2], Power.PAUSED)
    await look(10)
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(value, abs=0.2) for value in (10, 5, 0)]


async def test_the_cloud_entry_point_shows_what_all_machines_use_together(
    admin: ApiClient, machine: str, image: str, driver: MemoryDriver, look: Look
) -> None:
    second = (await admin.post("machines", admin.machine(image), Prefer="wait=10")).location
    uuids = [url.rpartition("/")[2] for url in (machine, second)]
    for uuid in uuids:
        driver.usage[uuid] = Usage(memory_used_kib=1000)
    aspects = ("cpu", "memory", "bandwidth")
    meters = [(await admin.post("meters", create(aspect, admin.base))).location for aspect in aspects]
    await look()
    driver.usage[uuids[0]].cpu_seconds += 10
    driver.usage[uuids[1]].received_bytes += 10_000
    await look(10)
    found = [await samples(admin, meter) for meter in meters]
    assert found == [[pytest.approx(50, rel=0.02)], [2000, 2000], [pytest.approx(8, rel=0.02)]]


async def test_a_network_shows_what_its_guests_send_and_receive(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
    network = (await admin.document("networks"))["networks"][0]["id"]
    meter = await made(admin, network, "bandwidth")
    await look()
    usage.received_bytes, usage.sent_bytes = 1_000_000, 500_000
    await look(10)
    assert await samples(admin, meter) == [pytest.approx(1200, rel=0.02)]


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
    assert found == [pytest.approx(50_000, rel=0.01), pytest.approx(800, rel=0.02), pytest.approx(400, rel=0.02)]


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
    usage = driver.usage.setdefault(machine.location.rpartition("/")[2], Usage())
    await look()
    usage.received_bytes, usage.sent_bytes = 1_000_000, 500_000
    await look(10)
    found = [(await samples(admin, meter))[-1] for meter in meters]
    assert found == [pytest.approx(1200, rel=0.02), pytest.approx(800, rel=0.02)]


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
        patched.setattr(Transaction, "append_samples", full)
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


async def test_an_interval_is_one_sample_at_its_end(
    admin: ApiClient, machine: str, usage: Usage, look: Look
) -> None:
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
    driver.ahead += 10
    await gateway.sampler.look(driver)
    values = await samples(admin, history)
    assert values[:10] == list(range(100, 110))
    assert len(values) == 11


# Start, stop, expiry


async def test_a_stopped_meter_records_nothing_until_it_is_started(
    admin: ApiClient, machine: str, look: Look
) -> None:
    meter = await made(admin, machine, "memory")
    await look()
    assert (await admin.acted(meter, "stop"))["state"] == "SUCCESS"
    rels = {entry["rel"].rpartition("/")[2] for entry in (await admin.document(meter))["operations"]}
    assert rels == {"edit", "delete", "start"}
    await look(10)
    assert (await admin.act(meter, "stop")).status == 409
    await admin.acted(meter, "start")
    await look(10)
    assert len(await samples(admin, meter)) == 2


async def test_after_its_stop_time_a_meter_records_nothing(
    admin: ApiClient, machine: str, look: Look, gateway: Gateway, driver: MemoryDriver
) -> None:
    meter = await made(admin, machine, "memory")
    answer = await admin.put(f"{meter}?$select=stopTime", {"stopTime": "2100-01-01T00:00:00Z"})
    assert answer.status == 200, answer.text
    await look()
    driver.ahead += 100 * 366 * 86400
    await look()
    assert len(await samples(admin, meter)) == 1


async def test_an_expired_meter_is_gone_with_its_samples(
    admin: ApiClient, machine: str, look: Look, gateway: Gateway
) -> None:
    meter = await made(admin, machine, "memory")
    await admin.put(f"{meter}?$select=expiresTime", {"expiresTime": "2100-01-01T00:00:00Z"})
    await look()
    await gateway.sampler.expire(4_200_000_000_000)
    assert (await admin.get(meter)).status == 404
    assert (await admin.document(f"{machine}/meters"))["count"] == 0


@pytest.mark.parametrize(
    ("document", "attribute"),
    [
        ({"stopTime": "2001-01-01T00:00:00Z"}, "stopTime"),
        ({"expiresTime": "2001-01-01T00:00:00Z"}, "expiresTime"),
        ({"sampleInterval": 3}, "sampleInterval"),
        ({"minValue": "few"}, "minValue"),
        ({"minValue": "5", "maxValue": "4"}, "maxValue"),
    ],
)
async def test_a_wrong_edit_is_refused_by_name(
    admin: ApiClient, machine: str, document: dict[str, Any], attribute: str
) -> None:
    meter = await made(admin, machine)
    answer = await admin.put(f"{meter}?$select={','.join(document)}", document)
    assert (answer.status, answer.message.split(":")[0]) == (400, attribute)


async def test_what_a_meter_measures_cannot_be_edited(admin: ApiClient, machine: str) -> None:
    meter = await made(admin, machine)
    document = {**(await admin.document(meter)), "name": "n", "aspect": f"{ASPECT}memory", "sampleInterval": 20}
    assert (await admin.put(meter, document)).status == 200
    edited = await admin.document(meter)
    assert (edited["name"], edited["aspect"], edited["sampleInterval"]) == ("n", f"{ASPECT}cpu", 20)


async def test_meters_go_with_their_machine(admin: ApiClient, machine: str, look: Look) -> None:
    meter = await made(admin, machine, "memory")
    await look()
    await admin.ended((await admin.delete(machine)).job)
    assert (await admin.get(meter)).status == 404
    assert (await admin.document("meters"))["count"] == 0


async def test_a_deleted_meter_leaves_the_collection_of_its_machine(admin: ApiClient, machine: str) -> None:
    meter = await made(admin, machine)
    assert (await admin.delete(meter)).status == 200
    assert (await admin.document(f"{machine}/meters"))["count"] == 0


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
