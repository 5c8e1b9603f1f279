"""Meters: what may be measured of what, and by whom."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.meters import ASPECT, Client, Look, create, made
from tests.api.namespaces import NAMESPACE

pytestmark = pytest.mark.slow

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
