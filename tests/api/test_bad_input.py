"""Bad input gets the right 4xx, a document that names what is wrong, and changes nothing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from demo.basic_auth import basic_auth
from tests.api.client import ApiClient
from tests.empty_image import qcow2

pytestmark = pytest.mark.slow

BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><MachineCreate><name>&b;</name></MachineCreate>'
LAUGHS = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
BILLION = f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><MachineCreate><name>&l9;</name></MachineCreate>'.encode()
EXTERNAL = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><MachineCreate><name>&a;</name></MachineCreate>'


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "malformed JSON"),
        (b"[]", "JSON object"),
        (b'"x"', "JSON object"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"resourceURI": "http://schemas.dmtf.org/cimi/1/Volume"}', "resourceURI"),
        (b'{"machineTemplate": {}, "colour": 1}', "colour"),
        (b"{}", "machineTemplate"),
        (b'{"machineTemplate": {"machineConfig": {"cpu": "many"}}}', "machineTemplate.machineConfig.cpu"),
        (b'{"machineTemplate": {"machineConfig": {"cpu": 0}}}', "machineTemplate.machineConfig.cpu"),
        (b'{"machineTemplate": {"machineConfig": {"memory": 99999999999999999999}}}', "memory"),
        (b'{"machineTemplate": {"userData": "%%"}}', "machineTemplate.userData"),
        (b'{"machineTemplate": {"initialState": "FLYING"}}', "machineTemplate.initialState"),
        (b'{"machineTemplate": {"href": "machineTemplates/none"}}', "machineTemplate"),
        (b'{"machineTemplate": {"href": "http://elsewhere/cimi/machineTemplates/1"}}', "machineTemplate"),
        (b'{"machineTemplate": {"href": "../../etc"}}', "machineTemplate"),
        (b'{"name": "a\\u0007b", "machineTemplate": {}}', "name"),
        (b'{"name": 5, "machineTemplate": {}}', "name"),
        (b'{"properties": {"a": 1}, "machineTemplate": {}}', "properties"),
        (b'{"machineTemplate": {"networkInterfaces": [null]}}', "machineTemplate.networkInterfaces.0"),
        (b'{"machineTemplate": {"machineConfig": {"disks": [{"capacity": 1}, null]}}}', "machineConfig.disks.1"),
        (b'{"machineTemplate": {"machineConfig": {"disks": [{"colour": 1}]}}}', "machineConfig.disks.0.colour"),
        (b'{"machineTemplate": "machineTemplates/1"}', "machineTemplate"),
        (b'{"machineTemplate": {"href": 5}}', "machineTemplate"),
        (b'{"machineTemplate": {"machineImage": []}}', "machineTemplate.machineImage"),
        (b'{"name": "a", "name": "b"}', "stands twice"),
        (b'{"machineTemplate": {"machineConfig": {"cpu": 1.5}}}', "no integer"),
        (b'{"machineTemplate": {"machineConfig": {"cpu": NaN}}}', "no JSON number"),
        (b'{"machineTemplate": {"machineConfig": {"cpu": true}}}', "cpu"),
        (b"[" * 50000, "nested"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested"),
    ],
)
async def test_json_that_cannot_be_is_400_and_says_why(admin: ApiClient, body: bytes, named: str) -> None:
    answer = await admin.post("machines", body)
    assert answer.status == 400
    assert named in answer.message
    assert (await admin.document("machines"))["count"] == 0


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"<MachineCreate>", "malformed XML"),
        (b"", "malformed XML"),
        (b"<VolumeCreate/>", "root element"),
        (BOMB, "entities"),
        (BILLION, "entities"),
        (EXTERNAL, "entities"),
        (b"<MachineCreate><name>&undefined;</name></MachineCreate>", "undefined entity"),
        (b"<a>" * 100 + b"</a>" * 100, "nested"),
        (b"<MachineCreate>\x01</MachineCreate>", "malformed XML"),
        (b"<MachineCreate><colour>x</colour></MachineCreate>", "colour"),
        (b"<MachineCreate><name>a</name><x:name xmlns:x='y'>b</x:name></MachineCreate>", "name"),
        (b"<MachineCreate><name>a</name><name>b</name></MachineCreate>", "name"),
        (b"<MachineCreate><name><b>a</b></name></MachineCreate>", "name"),
        (b"<MachineCreate>text<name>a</name></MachineCreate>", "text between"),
        (b"<MachineCreate/><MachineCreate/>", "malformed XML"),
        (b"<a>" + b"<b/>" * 60_000 + b"</a>", "more than"),
        (b'<?xml version="1.0" encoding="utf-7"?><MachineCreate/>', "malformed XML"),
        (BOMB.decode().encode("utf-16"), "entities"),
        (b"<MachineCreate><property>x</property></MachineCreate>", "properties"),
    ],
)
async def test_xml_that_cannot_be_is_400_and_says_why(
    client: Callable[..., ApiClient], body: bytes, named: str
) -> None:
    answer = await client("admin", "xml").post("machines", body)
    assert answer.status == 400
    assert named in (answer.xml.findtext("{http://schemas.dmtf.org/cimi/1}statusMessage") or "")


async def test_unknown_media_types_are_415(admin: ApiClient) -> None:
    answer = await admin.post("machines", b"a: b", Content_Type="application/yaml")
    assert answer.status == 415


async def test_a_body_over_the_limit_is_413(admin: ApiClient) -> None:
    answer = await admin.post("machines", io.BytesIO(b'{"name": "' + b"x" * 1_100_000 + b'"}'))
    assert answer.status == 413


@pytest.mark.parametrize(
    "type_", ["", "text/plain", "application/json-patch+json", "multipart/form-data; boundary=x", "\u00ff", "json"]
)
async def test_bodies_of_other_types_are_415(admin: ApiClient, type_: str) -> None:
    answer = await admin.post("machineConfigs", b'{"cpu": 1, "memory": 1}', Content_Type=type_)
    assert answer.status == 415
    assert "application/json" in answer.message


@pytest.mark.parametrize("type_", ["application/json;charset=utf-8", "Application/JSON", "text/xml; charset=UTF-8"])
async def test_media_types_may_have_parameters_and_any_case(admin: ApiClient, type_: str) -> None:
    xml = b"<MachineConfiguration><cpu>1</cpu><memory>1</memory></MachineConfiguration>"
    body = xml if "xml" in type_ else b'{"cpu": 1, "memory": 1}'
    assert (await admin.post("machineConfigs", body, Content_Type=type_)).status == 201


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16", "ISO-8859-1"])
async def test_xml_may_be_in_any_encoding_that_it_declares(client: Callable[..., ApiClient], encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><MachineConfiguration><name>ö</name><cpu>1</cpu>'
    body = f"{text}<memory>1</memory></MachineConfiguration>".encode(encoding)
    answer = await client("admin", "xml").post("machineConfigs", body)
    assert (answer.status, "<name>ö</name>" in answer.text) == (201, True)


@pytest.mark.parametrize("size", [9_000, 20_000, 200_000])
async def test_an_oversized_url_is_414(admin: ApiClient, size: int) -> None:
    for url in ("machines?$filter=" + "x" * size, "machines/" + "x" * size):
        answer = await admin.get(url)
        assert answer.status == 414
        assert "at most" in answer.message


async def test_a_bad_filter_is_400_and_named(admin: ApiClient) -> None:
    answer = await admin.get("machines?$filter=cpu=3.2")
    assert answer.status == 400
    assert answer.message.startswith("$filter")


async def test_no_acceptable_format_is_406_in_json(admin: ApiClient) -> None:
    answer = await admin.get("machines", Accept="text/csv")
    assert answer.status == 406
    assert answer.json["state"] == "FAILED"


async def test_an_unknown_method_is_405_with_allow(admin: ApiClient) -> None:
    answer = await admin.put("machines", {})
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_nothing_is_404_also_outside_of_the_entry_point(admin: ApiClient) -> None:
    root = admin.base.removesuffix("cimi/")
    for url in ("nothing", "machines/none", "machines/none/disks", "machines/a/b/c/d", root + "elsewhere"):
        answer = await admin.get(url)
        assert (answer.status, answer.json["id"]) == (404, "")


async def test_read_only_attributes_are_ignored_in_an_update(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}?$select=state,name", {"state": "STOPPED", "name": "new"})
    assert answer.status == 200
    assert (answer.json["state"], answer.json["name"]) == ("STARTED", "new")


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_more_properties_than_256_are_400_and_the_document_says_so(
    client: Callable[..., ApiClient], media: str
) -> None:
    sender = client("admin", media)
    for count, status in ((256, 201), (257, 400)):
        entries = {f"k{number}": "v" for number in range(count)}
        inner = "".join(f'<property key="{key}">v</property>' for key in entries)
        text = f"<MachineConfiguration>{inner}<cpu>1</cpu><memory>1</memory></MachineConfiguration>"
        document = {"properties": entries, "cpu": 1, "memory": 1}
        answer = await sender.post("machineConfigs", document if media == "json" else text.encode())
        assert answer.status == status, answer.text
    assert "properties: has 257 entries; at most 256 are allowed" in answer.text


async def test_a_wrong_if_match_is_412_and_changes_nothing(admin: ApiClient, machine: str) -> None:
    answer = await admin.put(f"{machine}?$select=name", {"name": "x"}, If_Match='"wrong"')
    assert answer.status == 412
    assert (await admin.document(machine))["name"] == "m"
    tag = (await admin.get(machine)).headers["etag"]
    assert (await admin.put(f"{machine}?$select=name", {"name": "x"}, If_Match=tag)).status == 200


async def test_a_known_etag_is_304(admin: ApiClient, machine: str) -> None:
    tag = (await admin.get(machine)).headers["etag"]
    assert (await admin.get(machine, If_None_Match=tag)).status == 304


# Images


@pytest.mark.parametrize("location", ["file:///etc/passwd", "/etc/passwd", "ftp://h/x", "relative.img", "file://h/x"])
async def test_image_locations_outside_of_the_directories_are_400(admin: ApiClient, location: str) -> None:
    answer = await admin.post("machineImages", {"imageLocation": location})
    assert answer.status == 400
    assert answer.message.startswith("imageLocation")


async def test_dots_and_links_do_not_lead_out_of_the_directories(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.img"
    secret.write_bytes(qcow2())
    (images / "link.img").symlink_to(secret)
    for name in ("../secret.img", "link.img"):
        answer = await admin.post("machineImages", {"imageLocation": f"{images}/{name}"})
        assert answer.status == 400
        assert answer.message.startswith("imageLocation")


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"just text", "no disk image"),
        (qcow2(backing=65536), "backing file"),
        (qcow2(features=4), "external data file"),
        (qcow2(features=2), "corrupt"),
        (qcow2(size=2**60), "virtual size"),
        (qcow2()[:60], "cut off"),
        (b"KDMV" + bytes(2000), "vmdk"),
        (b"QED\0" + bytes(2000), "qed"),
        (b"", "no disk image"),
    ],
)
async def test_files_that_are_no_harmless_image_are_400(
    admin: ApiClient, images: Path, content: bytes, named: str
) -> None:
    (images / "bad.img").write_bytes(content)
    answer = await admin.post("machineImages", {"imageLocation": f"{images}/bad.img"})
    assert answer.status == 400
    assert named in answer.message
    assert (await admin.document("machineImages"))["count"] == 0


async def test_an_image_that_machines_are_made_of_is_not_deleted(admin: ApiClient, machine: str, image: str) -> None:
    assert (await admin.delete(image)).status == 409
    await admin.delete(machine)
    assert (await admin.delete(image)).status == 200


async def test_an_image_larger_than_the_configured_disk_is_refused_by_name(admin: ApiClient, image: str) -> None:
    config = {"cpu": 1, "memory": 131072, "disks": [{"capacity": 10}]}
    answer = await admin.post("machines", admin.machine(image, machineConfig=config))
    assert answer.status == 400
    assert "capacity" in answer.message


async def test_strange_names_are_kept_as_they_are(admin: ApiClient, image: str) -> None:
    for name in ("]]>", "<x/>", "'; DROP TABLE resources; --", "ö €", "a\tb\nc", "%00", "..", "x" * 5000):
        answer = await admin.post("machines", {**admin.machine(image, initialState="STOPPED"), "name": name})
        assert answer.status == 201, answer.text
        assert (await admin.document(answer.location))["name"] == name


async def test_a_client_that_hangs_up_does_not_lose_its_machine(
    admin: ApiClient, image: str, session: aiohttp.ClientSession
) -> None:
    with pytest.raises((TimeoutError, aiohttp.ClientError)):
        await session.post(
            admin.base + "machines",
            json=admin.machine(image),
            headers={"Authorization": basic_auth("admin", "secret")},
            timeout=aiohttp.ClientTimeout(total=0.001),
        )
    assert (await admin.get("machines")).status == 200
