"""What was exported comes in again as equal, in every document: with its ports, addresses, groups and own disks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import BandwidthClass
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api import packages
from tests.api.client import ApiClient
from tests.api.packages import OWN, component, disk, downloaded, made, package, template
from tests.api.systems import described, machine, members, on, system
from tests.api.whole_systems import WholeSystem, element

pytestmark = pytest.mark.slow

EXTRA = OWN.replace(":c", "")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFh7tJsbDgvTSSZxYyYBvzNDo0yq4ZbRHBeXGHMlkjkM ops@here"
UNIQUE = ("cidr", "cidr6", "ip", "defaultGateway", "dns", "macAddress")
"""What no two Systems have alike while both are there."""


@pytest.fixture
def hypervisor() -> dict[str, Any]:
    return {"bandwidth_classes": (BandwidthClass("GOLD", inbound=1000),)}


@pytest.fixture
async def boot(admin: ApiClient, images: Path, tmp_path: Path) -> str:
    """An image with real bytes."""
    (images / "boot.qcow2").write_bytes(disk(tmp_path, kind="qcow2"))
    answer = await admin.post("machineImages", {"imageLocation": f"file://{images / 'boot.qcow2'}"}, Prefer="wait=30")
    assert answer.status == 201, answer.text
    return answer.location


def network(name: str, **config: Any) -> dict[str, Any]:
    found = described("Network", {"networkConfig": {"networkType": "PRIVATE", **config}}, name)
    return {**found, "description": f"the {name}", "properties": {"side": name}}


def parts(boot: str) -> list[dict[str, Any]]:
    """Of every type that a component can have, but for Systems."""
    web = machine(
        boot,
        "web",
        credential={"href": "#ops"},
        networkInterfaces=[
            {"networkPort": {"href": "#door"}, "addresses": [{"href": "#entrance"}], "mtu": 1400},
            {"network": {"href": "#back"}, "addresses": [{"hostname": "web"}], "state": "Passive"},
        ],
        volumes=[{"href": "#data", "initialLocation": "/dev/vdd"}],
        volumeTemplates=[{"volumeConfig": {"capacity": 3000}}],
    )
    web["machineTemplate"]["machineConfig"]["disks"] = [{"capacity": 16778}, {"capacity": 8389}]
    db = machine(boot, "db", networkInterfaces=[{"network": {"href": "#back"}}])
    data = described("Volume", {"volumeConfig": {"capacity": 5000}}, "data")
    config = {"networkPortConfig": {"portType": "ACCESS", "classOfService": "GOLD"}}
    back = {"network": {"href": "#back"}}
    return [
        network("front", mtu=1450, classOfService="GOLD"),
        network("back"),
        {**data, "description": "what is kept", "properties": {"kept": "long"}},
        described("Credential", {"userName": "ops", "key": KEY, "password": "hunter22"}, "ops"),
        {**described("NetworkPort", {"network": {"href": "#front"}, **config}, "door"), "description": "in front"},
        described("NetworkPort", back, "spare"),
        described("Address", {"network": {"href": "#front"}, "hostname": "shop"}, "entrance"),
        described("Address", {"network": {"href": "#front"}, "allocation": "dynamic", "protocol": "IPv6"}, "six"),
        described("ForwardingGroup", {"networks": [{"href": "#front"}, {"href": "#back"}]}, "all"),
        web,
        db,
    ]


@pytest.fixture
async def bought(admin: ApiClient, boot: str) -> str:
    document = {**system(*parts(boot)), "description": "a shop"}
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert (await admin.acted(answer.location, "stop", force=True))["state"] == "SUCCESS"
    return answer.location


async def packed(admin: ApiClient, images: Path, url: str) -> str:
    """Location of the package that was exported."""
    path = images / "again.ova"
    path.write_bytes(await downloaded(admin, url))
    return f"file://{path}"


async def removed(admin: ApiClient, url: str) -> None:
    assert (await admin.delete(url, Prefer="wait=30")).status == 200


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_system_comes_in_again_as_equal_in_every_document(
    admin: ApiClient, client: Callable[..., ApiClient], images: Path, bought: str, media: str
) -> None:
    reader = client("admin", media)
    before = await WholeSystem(admin, bought).found(reader)
    location = await packed(admin, images, bought)
    await removed(admin, bought)
    again = await made(admin, "systems", location)
    assert await WholeSystem(admin, again["id"]).found(reader) == before
    assert again["properties"] == {"ovf.source": location}


async def test_a_system_inside_comes_in_again_as_equal_in_every_document(
    admin: ApiClient, boot: str, images: Path
) -> None:
    inner = described("System", {"componentDescriptors": parts(boot)}, "inner")
    document = system(inner, network("outside"), machine(boot, "gate", networkInterfaces=on("outside")))
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert (await admin.acted(answer.location, "stop", force=True))["state"] == "SUCCESS"
    before = await WholeSystem(admin, answer.location).found(admin)
    location = await packed(admin, images, answer.location)
    await removed(admin, answer.location)
    again = await made(admin, "systems", location)
    assert await WholeSystem(admin, again["id"]).found(admin) == before


async def test_a_system_comes_in_beside_the_one_that_it_was(
    admin: ApiClient, gateway: Gateway, images: Path, bought: str
) -> None:
    """What only one of them can have is another's; it is told, in the property where it was somebody's wish."""
    location = await packed(admin, images, bought)
    again = await made(admin, "systems", location)
    before, after = [await WholeSystem(admin, url, *UNIQUE).found(admin) for url in (bought, again["id"])]
    assert after == before
    told = again["properties"]["ovf.ignored"]
    other = "is replaced by another: the range of its Network is another one here"
    theirs = (await members(admin, bought, "addresses"))["entrance"]["ip"]
    ours = rf"an Address of Machine 'web': 10\.113\.\d+\.2 {other}"
    assert re.fullmatch(rf"Address 'entrance': {re.escape(theirs)} {other}; {ours}", told)
    rows = await gateway.store.fetch("SELECT message FROM job_log WHERE step = 'make imported'")
    log = [message for (message,) in rows]
    assert f"not as in the package: Address 'entrance': {theirs} {other}" in log
    assert any("of NetworkPort 'spare' is replaced by another MAC" in line for line in log)
    assert any("of Network 'front' is replaced by another range: cidr: " in line for line in log)


async def test_imports_at_the_same_time_do_not_take_each_others_ranges(
    admin: ApiClient, images: Path, bought: str
) -> None:
    wished = (await members(admin, bought, "networks"))["front"]["cidr"]
    location = await packed(admin, images, bought)
    await removed(admin, bought)
    found = await asyncio.gather(*(made(admin, "systems", location) for _ in range(3)))
    ranges = [(await members(admin, system["id"], "networks"))["front"]["cidr"] for system in found]
    assert (len(set(ranges)), wished in ranges) == (3, True)


async def test_a_network_that_is_made_first_leaves_another_the_range_that_it_asks_for(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    wish = f"<networkConfig><cidr {EXTRA}>10.113.0.0/24</cidr></networkConfig>"
    text = packages.described(collection=template(component("Network", wish, "aside")))
    text = text.replace(b"</NetworkSection>", b'<Network ovf:name="aside"/></NetworkSection>')
    (images / "shop.ova").write_bytes(package(tmp_path, text))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    found = {name: entry["cidr"] for name, entry in (await members(admin, system["id"], "networks")).items()}
    assert found == {"front": "10.113.1.0/24", "aside": "10.113.0.0/24"}


async def test_what_is_on_a_machines_own_second_disk_comes_again(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path, bought: str
) -> None:
    web = (await members(admin, bought, "machines"))["web"]["id"].rpartition("/")[2]
    driver.state.contents[("default", f"cimi-{web}-vdb.qcow2")] = disk(tmp_path, 8 * 1024**2, "qcow2", b"precious")
    again = await made(admin, "systems", await packed(admin, images, bought))
    found = await members(admin, again["id"], "machines")
    disks = (await admin.document(f"{found['web']['id']}/disks"))["disks"]
    assert sorted((one["name"], one["capacity"]) for one in disks) == [("vda", 16778), ("vdb", 8389)]
    name = f"cimi-{found['web']['id'].rpartition('/')[2]}-vdb.qcow2"
    assert b"precious" in driver.state.contents[("default", name)]


async def test_an_image_under_a_machines_disk_stays(admin: ApiClient, images: Path, bought: str) -> None:
    await made(admin, "systems", await packed(admin, images, bought))
    listed = (await admin.document("volumeImages"))["volumeImages"]
    [image] = [entry["id"] for entry in listed if entry["name"] == "web disk 2"]
    answer = await admin.delete(image)
    assert (answer.status, "disks of Machines" in answer.message) == (409, True)


async def test_no_secret_is_in_a_package(admin: ApiClient, gateway: Gateway, images: Path, bought: str) -> None:
    content = await downloaded(admin, bought)
    text = content[: content.index(b"</Envelope>")]
    [row] = await gateway.store.fetch("SELECT opened(path, internal) FROM resources WHERE kind = 'Credential'")
    [hashed] = re.findall(r'"password_hash": ?"([^"]+)"', str(row[0]))
    assert KEY.encode().hex().encode() in text
    for secret in (b"hunter22", hashed.encode()):
        assert secret not in text


async def test_a_credential_of_a_password_alone_is_left_out_and_told(admin: ApiClient, boot: str, images: Path) -> None:
    secret = described("Credential", {"userName": "ops", "password": "hunter22"}, "ops")
    answer = await admin.post("systems", system(secret, machine(boot, credential={"href": "#ops"})), Prefer="wait=60")
    again = await made(admin, "systems", await packed(admin, images, answer.location))
    assert await members(admin, again["id"], "credentials") == {}
    assert "Credential 'ops'" in again["properties"]["ovf.ignored"]


async def test_a_class_that_is_not_configured_here_is_told(
    admin: ApiClient, gateway: Gateway, images: Path, bought: str
) -> None:
    location = await packed(admin, images, bought)
    await removed(admin, bought)
    path = images / "again.ova"
    path.write_bytes(without_manifest(path.read_bytes().replace(b">GOLD<", b">LEAD<")))
    again = await made(admin, "systems", location)
    assert "classOfService" not in (await members(admin, again["id"], "networks"))["front"]
    assert "classOfService LEAD of Network 'front'" in again["properties"]["ovf.ignored"]
    assert "classOfService LEAD of NetworkPort 'door'" in again["properties"]["ovf.ignored"]


def without_manifest(archive: bytes) -> bytes:
    """The archive less the sums of its files, so that these may be changed."""
    start = archive.index(b"shop.mf\0")
    return archive[:start] + bytes(1024)


# Networks that are there


@pytest.fixture
async def front(admin: ApiClient) -> str:
    answer = await admin.post("networks", {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}})
    assert answer.status == 201, answer.text
    return answer.location


async def test_components_go_to_the_network_that_was_named(
    admin: ApiClient, images: Path, bought: str, front: str
) -> None:
    location = await packed(admin, images, bought)
    again = await made(admin, "systems", location, **{"ovf.network.front": front})
    assert sorted(await members(admin, again["id"], "networks")) == ["back"]
    ports, addresses = [await members(admin, again["id"], name) for name in ("networkPorts", "addresses")]
    assert ports["door"]["network"]["href"] == addresses["entrance"]["network"]["href"] == front
    assert (await admin.document(front))["forwardingGroup"]["href"].count("forwardingGroups") == 1


async def test_a_taken_address_and_name_are_replaced_and_told(admin: ApiClient, images: Path, bought: str) -> None:
    location = await packed(admin, images, bought)
    theirs = (await members(admin, bought, "networks"))["front"]["id"]
    group = (await members(admin, bought, "forwardingGroups"))["all"]["id"]
    for entry in (await admin.document(f"{group}/networks"))["forwardingGroupNetworks"]:
        await removed(admin, entry["id"])
    again = await made(admin, "systems", location, **{"ovf.network.front": theirs})
    before, after = [(await members(admin, url, "addresses"))["entrance"] for url in (bought, again["id"])]
    assert before["ip"] != after["ip"]
    assert "hostname" not in after
    told = again["properties"]["ovf.ignored"]
    assert f"Address 'entrance': {before['ip']} is replaced by another: it is in use" in told
    assert "Address 'entrance': it has no name here, since shop is another's" in told


# Templates


def comparable(value: Any) -> Any:
    """Descriptors by name, less the images, which are made anew."""
    if isinstance(value, list):
        return sorted(map(comparable, value), key=str)
    if not isinstance(value, dict):
        return value
    return {name: comparable(entry) for name, entry in value.items() if name not in ("machineImage", "volumeImage")}


async def described_by(client: ApiClient, template: str) -> Any:
    answer = await client.get(template)
    found = answer.json if client.media == "json" else element(answer.xml)
    return comparable(next(found[name] for name in ("componentDescriptors", "componentDescriptor") if name in found))


async def volume_image(admin: ApiClient, images: Path, tmp_path: Path) -> str:
    (images / "data.qcow2").write_bytes(disk(tmp_path, kind="qcow2", mark=b"data"))
    answer = await admin.post("volumeImages", {"imageLocation": f"file://{images / 'data.qcow2'}"}, Prefer="wait=30")
    assert answer.status == 201, answer.text
    return answer.location


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_template_comes_in_again_as_equal(
    admin: ApiClient, client: Callable[..., ApiClient], boot: str, images: Path, tmp_path: Path, media: str
) -> None:
    descriptors = parts(boot)
    web = next(entry for entry in descriptors if entry.get("name") == "web")
    web["machineTemplate"]["volumeTemplates"] = [
        {"volumeConfig": {"capacity": 3000, "format": "raw"}, "initialLocation": "/dev/vdf"},
        {"volumeConfig": {"capacity": 17000}, "volumeImage": {"href": await volume_image(admin, images, tmp_path)}},
    ]
    web["machineTemplate"]["initialState"] = "PAUSED"
    entrance = next(entry for entry in descriptors if entry.get("name") == "entrance")
    entrance["addressTemplate"]["ip"] = "10.113.7.9"
    next(entry for entry in descriptors if entry.get("name") == "front")["networkTemplate"]["networkConfig"]["cidr"] = (
        "10.113.7.0/24"
    )
    inner = described("System", {"componentDescriptors": [machine(boot, "inside", networkInterfaces=[{}])]}, "inner")
    document = {"name": "shop", "componentDescriptors": [*descriptors, inner]}
    answer = await admin.post("systemTemplates", document)
    assert answer.status == 201, answer.text
    location = await packed(admin, images, answer.location)
    again = await made(admin, "systemTemplates", location)
    reader = client("admin", media)
    before, after = [await described_by(reader, url) for url in (answer.location, again["id"])]
    assert after == before


async def test_a_volume_that_a_template_refers_to_goes_along(
    admin: ApiClient, driver: MemoryDriver, boot: str, images: Path, tmp_path: Path
) -> None:
    made_volume = {"name": "kept", "volumeTemplate": {"volumeConfig": {"capacity": 8389}}}
    volume = (await admin.post("volumes", made_volume, Prefer="wait=30")).location
    content = disk(tmp_path, 8 * 1024**2, "qcow2", b"precious")
    driver.state.contents[("default", f"cimi-volume-{volume.rpartition('/')[2]}.qcow2")] = content
    web = machine(boot, volumes=[{"href": volume, "initialLocation": "/dev/vdx"}])
    answer = await admin.post("systemTemplates", {"name": "shop", "componentDescriptors": [web]})
    system = await made(admin, "systems", await packed(admin, images, answer.location))
    [found] = (await members(admin, system["id"], "volumes")).values()
    assert b"precious" in driver.state.contents[("default", f"cimi-volume-{found['id'].rpartition('/')[2]}.qcow2")]
    [attached] = (await admin.document(f"{(await members(admin, system['id'], 'machines'))['web']['id']}/volumes"))[
        "machineVolumes"
    ]
    assert (found["name"], attached["initialLocation"]) == ("kept", "/dev/vdx")


async def test_a_group_without_networks_and_nameless_components_come_in_again(
    admin: ApiClient, boot: str, images: Path
) -> None:
    nameless = described("NetworkPort", {"network": {"href": "#front"}})
    group = described("ForwardingGroup", {"networks": [{"href": "#front"}]}, "all")
    answer = await admin.post("systems", system(network("front"), nameless, group, machine(boot)), Prefer="wait=60")
    joined = (await members(admin, answer.location, "forwardingGroups"))["all"]["id"]
    [entry] = (await admin.document(f"{joined}/networks"))["forwardingGroupNetworks"]
    await removed(admin, entry["id"])
    location = await packed(admin, images, answer.location)
    before = await WholeSystem(admin, answer.location).found(admin)
    await removed(admin, answer.location)
    again = await made(admin, "systems", location)
    assert shown_alike(await WholeSystem(admin, again["id"]).found(admin)) == shown_alike(before)


async def test_a_network_of_a_group_that_is_not_in_the_package_is_told(
    admin: ApiClient, gateway: Gateway, boot: str, images: Path, front: str
) -> None:
    group = described("ForwardingGroup", {"networks": [{"href": front}]}, "all")
    answer = await admin.post("systems", system(group, machine(boot)), Prefer="wait=60")
    location = await packed(admin, images, answer.location)
    rows = await gateway.store.fetch("SELECT message FROM job_log WHERE step = 'write package'")
    [told] = [message for (message,) in rows if message.startswith("left out: ")]
    assert front.removeprefix(admin.base) in told
    again = await made(admin, "systems", location)
    assert sorted(await members(admin, again["id"], "forwardingGroups")) == ["all"]


def shown_alike(documents: dict[str, Any]) -> dict[str, Any]:
    """Less the state: what runs is off when it comes in again."""
    return {name: {**document, "state": None} for name, document in documents.items()}


async def test_a_template_that_a_system_became_can_be_used_twice(admin: ApiClient, images: Path, bought: str) -> None:
    """Ranges, addresses and MACs are one System's."""
    template = await made(admin, "systemTemplates", await packed(admin, images, bought))
    assert "content_image" not in str(template)
    for _ in range(2):
        document = {"systemTemplate": {"href": template["id"]}}
        answer = await admin.post("systems", document, Prefer="wait=60")
        assert answer.status == 201, answer.text
        assert sorted(await members(admin, answer.location, "networkPorts")) == ["door", "spare"]


async def test_a_template_keeps_what_is_on_its_disks_when_it_is_edited_and_exported(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path, bought: str
) -> None:
    web = (await members(admin, bought, "machines"))["web"]["id"].rpartition("/")[2]
    driver.state.contents[("default", f"cimi-{web}-vdb.qcow2")] = disk(tmp_path, 8 * 1024**2, "qcow2", b"precious")
    template = await made(admin, "systemTemplates", await packed(admin, images, bought))
    assert (await admin.put(template["id"], {**template, "name": "renamed"})).status == 200
    again = await made(admin, "systems", await packed(admin, images, template["id"]))
    found = (await members(admin, again["id"], "machines"))["web"]["id"].rpartition("/")[2]
    assert b"precious" in driver.state.contents[("default", f"cimi-{found}-vdb.qcow2")]
