"""Systems made of descriptors of every type, by reference and by name, and removed again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.systems import described, machine, made, members, network, on, system, volume

pytestmark = pytest.mark.slow

KEY = "ssh-ed25519 AAAA me@here"


async def test_a_system_is_made_of_components_that_refer_to_each_other_by_name(admin: ApiClient, image: str) -> None:
    url = await made(
        admin,
        machine(
            image,
            quantity=2,
            credential={"href": "#ops"},
            volumes=[{"href": "#data", "initialLocation": "/dev/vdb"}],
            networkInterfaces=on("front"),
        ),
        volume(quantity=2),
        described("Credential", {"userName": "admin", "password": "secret"}, "ops"),
        network(),
    )
    shown = await admin.document(url)
    assert (shown["name"], shown["state"]) == ("shop", "STARTED")
    machines = await members(admin, url, "machines")
    assert sorted(machines) == ["web1", "web2"]
    front = (await members(admin, url, "networks"))["front"]["id"]
    volumes = await members(admin, url, "volumes")
    for number in ("1", "2"):
        found = machines[f"web{number}"]
        interfaces = await admin.document(found["networkInterfaces"]["href"])
        assert interfaces["machineNetworkInterfaces"][0]["network"]["href"] == front
        connected = await admin.document(found["volumes"]["href"])
        assert connected["machineVolumes"][0]["volume"]["href"] == volumes[f"data{number}"]["id"]
    assert list(await members(admin, url, "credentials")) == ["ops"]


async def test_a_system_in_xml_is_made_as_one_in_json(client: Callable[..., ApiClient], image: str) -> None:
    xml = client("admin", "xml")
    body = f"""<SystemCreate xmlns="http://schemas.dmtf.org/cimi/1"><name>shop</name><systemTemplate>
      <componentDescriptor><name>front</name><type>http://schemas.dmtf.org/cimi/1/Network</type>
        <networkTemplate><networkConfig><networkType>PRIVATE</networkType></networkConfig></networkTemplate>
      </componentDescriptor>
      <componentDescriptor><name>web</name><property key="tier">1</property>
        <type>http://schemas.dmtf.org/cimi/1/Machine</type>
        <machineTemplate><machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>
          <machineImage href="{image}"/><networkInterface><network href="#front"/></networkInterface>
        </machineTemplate><quantity>2</quantity></componentDescriptor></systemTemplate></SystemCreate>"""
    answer = await xml.post("systems", body.encode(), Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert answer.xml.findtext("{*}state") == "STARTED"
    listed = (await xml.get(f"{answer.location}/machines")).xml
    names = sorted(str(entry.findtext("{*}name")) for entry in listed.iter(f"{NAMESPACE}SystemMachine"))
    assert names == ["web1", "web2"]
    machines = await members(client(), answer.location, "machines")
    assert machines["web1"]["properties"] == {"tier": "1"}


EVERY_TYPE = (
    "addresses",
    "credentials",
    "forwardingGroups",
    "machines",
    "networkPorts",
    "networks",
    "systems",
    "volumes",
)


async def every_type(admin: ApiClient, image: str) -> str:
    """A System with a component of every type that there is."""
    inner = {"componentDescriptors": [machine(image, "deep", initialState="STOPPED")]}
    return await made(
        admin,
        described("System", inner, "inner"),
        machine(image, "web", networkInterfaces=[{"networkPort": {"href": "#port"}, "addresses": [{"href": "#ip"}]}]),
        described("Address", {"network": {"href": "#front"}}, "ip"),
        described("NetworkPort", {"network": {"href": "#front"}}, "port"),
        described("ForwardingGroup", {"networks": [{"href": "#front"}]}, "group"),
        network(),
        network("back"),
        volume(),
        described("Credential", {"key": KEY}, "ops"),
        described("Meter", {"targetResource": {"href": "#web"}, "meterConfig": {"aspect": "memory"}}, "watch"),
        described("Meter", {"meterConfig": {"aspect": "cpu"}}, "whole"),
        described("EventLog", {"targetResource": {"href": "#data"}, "persistence": "daily"}),
    )


async def test_there_is_a_component_of_every_type(admin: ApiClient, image: str) -> None:
    url = await every_type(admin, image)
    found = {name: sorted(await members(admin, url, name)) for name in EVERY_TYPE}
    assert found == {
        "addresses": ["ip"],
        "credentials": ["ops"],
        "forwardingGroups": ["group"],
        "machines": ["web"],
        "networkPorts": ["port"],
        "networks": ["back", "front"],
        "systems": ["inner"],
        "volumes": ["data"],
    }
    web = (await members(admin, url, "machines"))["web"]
    assert [meter["name"] for meter in (await admin.document(f"{web['id']}/meters"))["meters"]] == ["watch"]
    assert [meter["name"] for meter in (await admin.document(f"{url}/meters"))["meters"]] == ["whole"]
    data = (await members(admin, url, "volumes"))["data"]
    assert (await admin.document(data["eventLog"]["href"]))["persistence"] == "daily"
    assert (await members(admin, url, "addresses"))["ip"]["resource"]["href"].startswith(web["id"])


async def test_what_another_system_made_is_taken_in_and_left_behind(admin: ApiClient, image: str) -> None:
    """In each of the eight collections."""
    url, other = await every_type(admin, image), await made(admin)
    for name in EVERY_TYPE:
        [(_, member), *_] = (await members(admin, url, name)).items()
        attribute = "address" if name == "addresses" else name.removesuffix("s")
        added = await admin.post(f"{other}/{name}", {attribute: {"href": member["id"]}})
        assert (added.status, added.json[attribute]["href"]) == (201, member["id"]), added.text
        assert (await admin.get(added.location)).json == added.json
    before = {name: (await admin.document(name))["count"] for name in EVERY_TYPE}
    assert (await admin.delete(other, Prefer="wait=60")).status == 200
    after = {name: (await admin.document(name))["count"] for name in EVERY_TYPE}
    assert after == {**before, "systems": before["systems"] - 1}
    assert (await admin.document(url))["state"] == "MIXED"  # One Machine runs, the one inside is off.


async def test_what_a_system_made_goes_with_it(admin: ApiClient, image: str, driver: MemoryDriver) -> None:
    url = await every_type(admin, image)
    removed = await admin.delete(url, Prefer="wait=60")
    assert removed.status == 200, removed.text
    assert (await admin.get(url)).status == 404
    counts = {name: (await admin.document(name))["count"] for name in (*EVERY_TYPE, "meters")}
    assert counts == {**dict.fromkeys(counts, 0), "networks": 1}  # The host's own stays.
    assert not driver.state.domains
    assert not [name for _, name in driver.state.volumes if not name.startswith("cimi-image-")]


async def test_volumes_made_with_a_machine_are_the_systems_too(admin: ApiClient, image: str) -> None:
    url = await made(admin, machine(image, volumeTemplates=[{"volumeConfig": {"capacity": 1000}}]))
    assert len((await admin.document(f"{url}/volumes"))["systemVolumes"]) == 1
    assert (await admin.delete(url, Prefer="wait=60")).status == 200
    assert (await admin.document("volumes"))["count"] == 0


async def test_an_existing_volume_that_a_machine_only_uses_is_not_of_the_system_and_stays(
    admin: ApiClient, image: str
) -> None:
    existing = await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}})
    url = await made(admin, machine(image, volumes=[{"href": existing.location}]))
    assert (await admin.document(f"{url}/volumes"))["count"] == 0
    assert (await admin.delete(url, Prefer="wait=60")).status == 200
    assert (await admin.document(existing.location))["state"] == "AVAILABLE"


# One Job with nested Jobs


async def test_the_job_has_a_nested_job_for_each_component(admin: ApiClient, image: str) -> None:
    answer = await admin.post("systems", system(machine(image, quantity=2, networkInterfaces=on("front")), network()))
    job = await admin.ended(answer.job)
    assert (job["state"], job["progress"], job["targetResource"]["href"]) == ("SUCCESS", 100, f"{admin.base}systems")
    nested = [await admin.document(entry["href"]) for entry in job["nestedJobs"]]
    assert [entry["state"] for entry in nested] == ["SUCCESS"] * 3
    assert {entry["parentJob"]["href"] for entry in nested} == {job["id"]}
    assert {entry["targetResource"]["href"] for entry in nested} == {f"{admin.base}machines", f"{admin.base}networks"}


async def test_what_failed_is_said_and_everything_made_is_undone(
    admin: ApiClient, image: str, driver: MemoryDriver
) -> None:
    driver.fail_next("domains.start", DriverFailed("no more memory"))
    document = system(machine(image, quantity=2, networkInterfaces=on("front"), volumes=[]), network(), volume())
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert answer.status == 500
    assert "Machine componentDescriptors.0 ('web" in answer.message
    assert "no more memory" in answer.message
    counts = {name: (await admin.document(name))["count"] for name in ("systems", "machines", "volumes", "networks")}
    assert counts == {"systems": 0, "machines": 0, "volumes": 0, "networks": 1}
    job = await admin.document(answer.job)
    outcomes = [(await admin.document(entry["href"]))["state"] for entry in job["nestedJobs"]]
    assert "FAILED" in outcomes


# What is wrong is told before there is a Job

WRONG: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a name that is not there": (
        [described("NetworkPort", {"network": {"href": "#none"}}, "port")],
        "systemTemplate.componentDescriptors.0.networkPortTemplate.network: no component is named 'none'",
    ),
    "two of one name": (
        [network("a"), volume("a")],
        "systemTemplate.componentDescriptors.1.name: 'a' is the name of another component",
    ),
    "a name that a number makes": (
        [network("a2"), volume("a", quantity=2)],
        "systemTemplate.componentDescriptors.1.name: 'a2' is the name of another component",
    ),
    "a circle": (
        [
            described("Network", {"forwardingGroup": {"href": "#group"}}, "net"),
            described("ForwardingGroup", {"networks": [{"href": "#net"}]}, "group"),
        ],
        "the components need each other in a circle: ",
    ),
    "a component of another type": (
        [network(), described("Network", {"forwardingGroup": {"href": "#front"}}, "net")],
        "systemTemplate.componentDescriptors.1.networkTemplate.forwardingGroup: 'front' is a Network, and a "
        "ForwardingGroup belongs here",
    ),
    "a type that there is not": (
        [{"name": "x", "type": "http://schemas.dmtf.org/cimi/1/Job", "networkTemplate": {"name": "t"}}],
        "systemTemplate.componentDescriptors.0.type: 'Job' is no type of a component ('x')",
    ),
    "no type": (
        [{"name": "x", "networkTemplate": {"name": "t"}}],
        "systemTemplate.componentDescriptors.0.type: is missing ('x')",
    ),
    "another type's template": (
        [{**network(), "volumeTemplate": {"volumeConfig": {"capacity": 1}}}],
        "systemTemplate.componentDescriptors.0.volumeTemplate: does not belong to a component of type Network",
    ),
    "no template": (
        [{"name": "x", "type": "http://schemas.dmtf.org/cimi/1/Machine"}],
        "systemTemplate.componentDescriptors.0.machineTemplate: is missing ('x')",
    ),
    "none of them": (
        [{**volume(), "quantity": 0}],
        "systemTemplate.componentDescriptors.0.quantity: must be between 1",
    ),
    "too many": ([volume(quantity=201)], "systemTemplate.componentDescriptors.0.quantity: makes 201 components"),
    "too many inside": (
        [described("System", {"componentDescriptors": [volume(quantity=20)]}, "inner", quantity=20)],
        "systemTemplate.componentDescriptors.0: with it there are more than 200 components",
    ),
    "several where one belongs": (
        [network(), {**network("many"), "quantity": 3}, described("NetworkPort", {"network": {"href": "#many"}}, "p")],
        "systemTemplate.componentDescriptors.2.networkPortTemplate.network: 'many' is made 3 times, and this component "
        "1 times; name one of them: #many1",
    ),
    "what its own family refuses": (
        [{**volume(), "volumeTemplate": {"volumeConfig": {"capacity": 1000, "type": "http://example.org/fast"}}}],
        "systemTemplate.componentDescriptors.0.volumeTemplate.volumeConfig.type: ",
    ),
    "an address for two": (
        [
            network(),
            described("Address", {"network": {"href": "#front"}}, "ip"),
            *(machine("IMAGE", name, networkInterfaces=on("front", addresses=[{"href": "#ip"}])) for name in "ab"),
        ],
        "systemTemplate.componentDescriptors.3.machineTemplate.networkInterfaces.0.addresses.0: 'ip' is used by 'a' "
        "already, and only one Machine at a time may use it",
    ),
    "a volume for two": (
        [volume(), machine("IMAGE", quantity=2, volumes=[{"href": "#data"}])],
        "systemTemplate.componentDescriptors.1.machineTemplate.volumes.0: 'data' is used by 'web1' already, and only "
        "one Machine at a time may use it",
    ),
    "a start order that is no number": (
        [described("System", {"name": "x"}, "inner", properties={"startOrder": "first"})],
        "systemTemplate.componentDescriptors.0.properties.startOrder: must be a whole number, not 'first'",
    ),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_wrong_descriptor_is_named_before_there_is_a_job(admin: ApiClient, image: str, what: str) -> None:
    descriptors, message = WRONG[what]
    for template in (entry["machineTemplate"] for entry in descriptors if "machineTemplate" in entry):
        template["machineImage"] = {"href": image}
    before = (await admin.document("jobs"))["count"]
    answer = await admin.post("systems", system(*descriptors))
    assert (answer.status, message in answer.message) == (400, True), answer.text
    assert [(await admin.document(name))["count"] for name in ("systems", "jobs")] == [0, before]


async def test_one_of_several_is_named_by_its_number(admin: ApiClient) -> None:
    url = await made(
        admin, {**network("net"), "quantity": 2}, described("NetworkPort", {"network": {"href": "#net2"}}, "port")
    )
    second = (await members(admin, url, "networks"))["net2"]
    assert (await members(admin, url, "networkPorts"))["port"]["network"]["href"] == second["id"]


async def test_what_does_not_depend_on_each_other_is_made_at_once(
    admin: ApiClient, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of three networks waits for the others in the middle of being made."""
    together, define = asyncio.Barrier(3), driver.networks.define

    async def with_the_others(spec: Any) -> None:
        await together.wait()
        await define(spec)

    monkeypatch.setattr(driver.networks, "define", with_the_others)
    await made(admin, {**network(), "quantity": 3})


async def test_what_cannot_be_undone_stays_in_sight_and_can_be_deleted(
    admin: ApiClient, image: str, driver: MemoryDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.execution.UNDO_PAUSE", 0.0)
    driver.fail_next("domains.start", DriverFailed("no more memory"))
    delete = driver.networks.delete

    async def broken(name: str) -> None:
        raise DriverFailed("no")

    monkeypatch.setattr(driver.networks, "delete", broken)
    document = system(machine(image, networkInterfaces=on("front")), network())
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert "not all of it could be undone" in answer.message
    [left] = (await admin.document("systems"))["systems"]
    assert left["state"] == "ERROR"
    assert list(await members(admin, left["id"], "networks")) == ["front"]
    monkeypatch.setattr(driver.networks, "delete", delete)
    assert (await admin.delete(left["id"], Prefer="wait=60")).status == 200
    assert (await admin.document("networks"))["count"] == 1
