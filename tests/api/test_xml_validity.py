"""Every XML body that goes over the wire validates against the official schema: what is read, changed, refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from drivers.base import InterfaceAddress
from drivers.memory import MemoryDriver
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from tests.api.client import Answer, ApiClient
from tests.api.systems import described, network, volume
from tests.official_schema import NAMESPACE, official_schema, without_slips
from tests.patience import eventually

pytestmark = pytest.mark.slow

Validate = Callable[[Answer], etree._Element]


@pytest.fixture
def valid() -> Validate:
    schema = official_schema()

    def validate(answer: Answer) -> etree._Element:
        root = without_slips(etree.fromstring(answer.text.encode()))
        if root.tag.startswith(f"{{{EXTENSION_NAMESPACE}}}"):
            # A type of this provider's own, of which the schema knows nothing.
            return root
        assert schema.validate(root), f"{schema.error_log}\n{answer.text}"
        return root

    return validate


@pytest.fixture
def xml(client: Callable[..., ApiClient]) -> ApiClient:
    return client("admin", "xml")


@pytest.fixture
async def everything(admin: ApiClient, machine: str, image: str, driver: MemoryDriver) -> str:
    """At least one resource of each type that can be had, with every attribute that a client can set."""
    common = {"name": "n <&> ö", "description": "d", "properties": {"k": "v", "a\tb": " x\n"}}
    key = "ssh-ed25519 AAAA me@here"
    credential = {"userName": "ops", "password": "hunter2", "key": key}
    descriptors = [
        described("Credential", credential, "ops", description="d", properties={"k": "v"}),
        described("NetworkPort", {"network": {"href": "#front"}}, "port"),
        described("System", {"componentDescriptors": [volume(quantity=2)]}, "inner"),
        network(),
    ]
    for path, document in (
        ("credentials", {**common, "credentialTemplate": credential}),
        ("credentialTemplates", {**common, **credential}),
        ("machineConfigs", {**common, "cpu": 1, "memory": 1, "disks": [{"capacity": 1, "format": "ext4"}] * 2}),
        ("machineTemplates", {**common, **admin.machine(image)["machineTemplate"], "credential": credential}),
        ("systemTemplates", {**common, "componentDescriptors": descriptors}),
        ("systems", {**common, "systemTemplate": {"componentDescriptors": descriptors}}),
    ):
        assert (await admin.post(path, document)).status == 201
    uuid = machine.rpartition("/")[2]
    mac = driver.state.domains[uuid].interfaces[0].mac
    driver.state.interface_addresses[uuid] = (InterfaceAddress(mac, "192.0.2.7", 24, "lease"),)

    async def shown() -> bool:
        return bool((await admin.document("addresses"))["count"])

    await eventually(shown, "the guest's address shows")
    return machine


async def reachable(xml: ApiClient, valid: Validate, start: str) -> set[str]:
    """Read everything that can be reached by hrefs and ids from here; each body is validated."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        url = waiting.pop()
        if url in seen:
            continue
        seen.add(url)
        root = valid(await xml.get(url))
        links = [element.get("href") for element in root.iter() if element.tag != f"{NAMESPACE}operation"]
        links += [element.text for element in root.iter(f"{NAMESPACE}id")]
        waiting += [link for link in links if link and link.startswith(xml.base)]
    return seen


async def test_whatever_the_entry_point_leads_to_is_valid(xml: ApiClient, everything: str, valid: Validate) -> None:
    seen = await reachable(xml, valid, xml.base)
    assert everything in seen
    assert f"{everything}/disks" in seen
    assert len(seen) > 50


@pytest.mark.parametrize("query", ["$expand", "$select=name,state,cpu", "$expand=*&$select=name", "$first=1&$last=1"])
async def test_queries_keep_collections_valid(
    admin: ApiClient, xml: ApiClient, everything: str, valid: Validate, query: str
) -> None:
    entry = await admin.document("")
    for value in entry.values():
        if isinstance(value, dict):
            valid(await xml.get(f"{value['href']}?{query}"))


async def test_an_expanded_machine_is_valid(xml: ApiClient, everything: str, valid: Validate) -> None:
    root = valid(await xml.get(f"{everything}?$expand=*"))
    assert root.findtext(f"{NAMESPACE}networkInterfaces/{NAMESPACE}MachineNetworkInterface/{NAMESPACE}macAddress")


async def test_answers_to_changes_are_valid(xml: ApiClient, image: str, valid: Validate) -> None:
    body = f"""<MachineCreate><name>x</name><machineTemplate><machineConfig><cpu>1</cpu><memory>131072</memory>
      </machineConfig><machineImage href="{image}"/></machineTemplate></MachineCreate>"""
    made = await xml.post("machines", body.encode())
    assert valid(made).tag == f"{NAMESPACE}Machine"
    edited = await xml.put(f"{made.location}?$select=name", b"<Machine><name>y</name></Machine>")
    assert valid(edited).findtext(f"{NAMESPACE}name") == "y"
    stopped = await xml.post(f"{made.location}/stop", b"<Action><force>true</force></Action>")
    assert valid(stopped).tag == f"{NAMESPACE}Job"
    valid(await xml.delete(made.location))


@pytest.mark.parametrize(
    ("method", "url", "body", "status"),
    [
        ("GET", "machines/none", None, 404),
        ("GET", "machines/%01", None, 404),
        ("GET", "machines?$filter=%01%EF%BF%BE", None, 400),
        ("GET", "machines?$filter=" + "x" * 50_000, None, 414),
        ("POST", "machines", b"<MachineCreate><name>\xc3\xb6</name></MachineCreate>", 400),
        ("POST", "machines", b"<MachineCreate", 400),
        ("POST", "machines/none/stop", b"<Action/>", 404),
        ("PUT", "machines", b"<Machine/>", 405),
        ("DELETE", "jobs/none", None, 404),
    ],
)
async def test_errors_are_valid_jobs_that_are_no_real_ones(
    xml: ApiClient, valid: Validate, method: str, url: str, body: bytes | None, status: int
) -> None:
    answer = await xml.request(method, url, body)
    assert answer.status == status
    root = valid(answer)
    assert root.tag == f"{NAMESPACE}Job"
    assert (root.findtext(f"{NAMESPACE}id"), root.findtext(f"{NAMESPACE}state")) == ("", "FAILED")
    assert root.findtext(f"{NAMESPACE}returnCode") == str(10000 + status)


async def test_an_error_names_the_action_that_was_tried(admin: ApiClient, machine: str) -> None:
    assert (await admin.act(machine, "start")).json["action"] == "http://schemas.dmtf.org/cimi/1/action/start"
    assert (await admin.post("machines", {})).json["action"] == "add"
    assert (await admin.delete("machines/none")).json["action"] == "delete"
