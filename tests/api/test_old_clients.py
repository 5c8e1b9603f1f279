"""What real 1.x clients send and rely on is accepted: Deltacloud, Sirocco, StratusLab."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

ONE = "http://schemas.dmtf.org/cimi/1"


@pytest.mark.parametrize(
    "root",
    [
        "MachineConfiguration",
        "MachineConfigurationCreate",
        "machineConfigurationCreate",
        f'MachineConfiguration xmlns="{ONE}"',
        f'MachineConfiguration xmlns="{ONE}/"',
        f'MachineConfiguration xmlns="{ONE}/MachineConfiguration" resourceURI="{ONE}/MachineConfiguration"',
        f'c:MachineConfiguration xmlns:c="{ONE}"',
    ],
)
async def test_roots_with_create_any_case_and_any_namespace(client: Callable[..., ApiClient], root: str) -> None:
    end = root.partition(" ")[0]
    body = f"<{root}><memory> 1024 </memory><cpu>\n1</cpu><name>x</name></{end}>"
    answer = await client("admin", "xml").post("machineConfigs", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.findtext(f"{{{ONE}}}memory") == "1024"


@pytest.mark.parametrize("marker", [None, "MachineConfiguration", "machineConfigurationCreate"])
async def test_json_with_any_of_these_markers_and_numbers_as_strings(admin: ApiClient, marker: str | None) -> None:
    document = {"cpu": "4", "memory": "1024"} | ({"resourceURI": f"{ONE}/{marker}"} if marker else {})
    answer = await admin.post("machineConfigs", document)
    assert answer.status == 201, answer.text
    assert (answer.json["cpu"], answer.json["memory"]) == (4, 1024)


async def test_wrapped_and_repeated_arrays_mean_the_same(client: Callable[..., ApiClient]) -> None:
    disks = "<disk><capacity>1</capacity></disk><disk><capacity>2</capacity></disk>"
    properties = '<property key="a">1</property><property name="b">2</property>'
    for body in (f"{disks}{properties}", f"<disks>{disks}</disks><properties>{properties}</properties>"):
        sent = f"<MachineConfiguration><cpu>1</cpu><memory>1</memory>{body}</MachineConfiguration>"
        made = await client("admin", "xml").post("machineConfigs", sent.encode())
        assert made.status == 201, made.text
        document = await client().document(made.location)
        assert [disk["capacity"] for disk in document["disks"]] == [1, 2]
        assert document["properties"] == {"a": "1", "b": "2"}


async def test_a_create_may_carry_what_a_resource_shows_and_what_old_sdks_add(admin: ApiClient, image: str) -> None:
    echoed = {"id": "x", "resourceURI": f"{ONE}/MachineCreate", "created": "2013-01-02T10:04:00Z", "state": "CREATING"}
    document = admin.machine(image) | echoed | {"operations": [], "providerAccountId": "7", "location": {"x": 1}}
    document["machineTemplate"]["machineConfig"] |= {"id": "y", "operations": [], "created": "2013-01-02T10:04:00Z"}
    answer = await admin.post("machines", document)
    assert answer.status == 201, answer.text
    assert answer.json["id"] == answer.location != "x"


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("query", ["", "?$expand"])
async def test_every_resource_may_be_sent_back_as_it_was_read(
    admin: ApiClient, client: Callable[..., ApiClient], machine: str, image: str, media: str, query: str
) -> None:
    template = {"name": "t", "machineConfig": {"cpu": 1, "memory": 1024}, "machineImage": {"href": image}}
    made = await admin.post("machineTemplates", template)
    credential = await admin.post("credentials", {"name": "c", "credentialTemplate": {"key": "ssh-rsa AAAA a@b"}})
    config = (await admin.document("machineConfigs"))["machineConfigurations"][0]["id"]
    sender = client("admin", media)
    for url in ("", machine, image, config, credential.location, made.location):
        before = await admin.document(url)
        answer = await sender.put(url, (await sender.get(url + query)).text.encode())
        assert answer.status == 200, (url, answer.text)
        after = await admin.document(url)
        if not query:
            assert {**after, "updated": None} == {**before, "updated": None}


async def test_drafts_of_network_interfaces_are_tolerated(client: Callable[..., ApiClient]) -> None:
    body = b"""<MachineTemplate><networkInterface><vsp>x</vsp><hostname>h</hostname><protocol>IPv4</protocol>
      <macAddress>52:54:00:00:00:01</macAddress><state>Active</state></networkInterface></MachineTemplate>"""
    answer = await client("admin", "xml").post("machineTemplates", body)
    assert answer.status == 201, answer.text


@pytest.mark.parametrize(
    "action", [f"{ONE}/action/stop", f"{ONE}/Action/stop", f" http://{ONE}/action/stop ", "stop", None]
)
@pytest.mark.parametrize("force", [True, "true"])
async def test_actions_are_told_by_their_url_or_the_end_of_their_name(
    admin: ApiClient, machine: str, action: str | None, force: object
) -> None:
    body = {"force": force, "name": "n"} | ({"action": action} if action else {})
    answer = await admin.post(f"{machine}/stop" if action is None else machine, body)
    assert answer.status == 202, answer.text
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"


async def test_every_item_of_a_collection_can_be_told_by_its_type_and_read_by_its_id(
    admin: ApiClient, machine: str
) -> None:
    entry = await admin.document("")
    for name, value in entry.items():
        if isinstance(value, dict):
            listed = await admin.document(value["href"])
            items = next((found for found in listed.values() if isinstance(found, list) and "id" in found[0]), [])
            assert listed["count"] == len(items), name
            for item in items:
                assert item["resourceURI"] + "Collection" == listed["resourceURI"]
                assert await admin.document(item["id"]) == item


async def test_keys_are_read_as_text_hex_or_base64_and_written_as_each_format_does(
    admin: ApiClient, client: Callable[..., ApiClient]
) -> None:
    text = "ssh-ed25519 AAAAC3Nza ops@example"
    for key in (text, text.encode().hex(), "c3NoLWVkMjU1MTkgQUFBQUMzTnphIG9wc0BleGFtcGxl"):
        made = await admin.post("credentials", {"credentialTemplate": {"publicKey": key, "username": "ops"}})
        assert made.status == 201, made.text
        assert (made.json["key"], made.json["userName"]) == (text, "ops")
        root = (await client("admin", "xml").get(made.location)).xml
        assert root.findtext(f"{{{ONE}}}key") == text.encode().hex()
