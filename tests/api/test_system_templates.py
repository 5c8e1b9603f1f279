"""SystemTemplates: checked when they are kept, overridden by creates, inside each other; their secrets stay inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.seeds import seed_of
from tests.api.systems import described, machine, members, network, on, volume

pytestmark = pytest.mark.slow


def whole(image: str) -> dict[str, Any]:
    credential = {"userName": "ops", "password": "hunter2"}
    web = machine(image, initialState="STOPPED", userData="aGVsbG8=", credential=credential)
    ops = described("Credential", {"userName": "ops", "password": "hunter2"}, "ops")
    return {"name": "two tier", "componentDescriptors": [web, ops]}


@pytest.fixture
async def template(admin: ApiClient, image: str) -> str:
    made = await admin.post("systemTemplates", whole(image))
    assert made.status == 201, made.text
    return made.location


async def seed_by(admin: ApiClient, driver: MemoryDriver, template: str) -> dict[str, Any]:
    """What the guest of a System made by this template is given."""
    answer = await admin.post("systems", {"systemTemplate": {"href": template}}, Prefer="wait=60")
    assert answer.status == 201, answer.text
    return seed_of(driver, (await members(admin, answer.location, "machines"))["web"]["id"])


async def test_a_template_shows_its_descriptors_in_both_formats(client: Callable[..., ApiClient], image: str) -> None:
    document = {"name": "t", "componentDescriptors": [machine(image, networkInterfaces=on("front")), network()]}
    made = await client().post("systemTemplates", document)
    assert made.status == 201, made.text
    first = made.json["componentDescriptors"][0]
    assert first["machineTemplate"]["networkInterfaces"] == [{"network": {"href": "#front"}}]
    assert first["type"] == "http://schemas.dmtf.org/cimi/1/Machine"
    root = (await client("admin", "xml").get(made.location)).xml
    names = [entry.findtext("{*}name") for entry in root.findall("{*}componentDescriptor")]
    assert names == ["web", "front"]
    assert root.find(".//{*}networkInterface/{*}network").get("href") == "#front"  # type: ignore[union-attr]


async def test_secrets_are_never_shown_and_reach_the_guest(
    admin: ApiClient, client: Callable[..., ApiClient], driver: MemoryDriver, template: str
) -> None:
    for media in ("json", "xml"):
        text = (await client("admin", media).get(template)).text
        assert not [secret for secret in ("hunter2", "aGVsbG8", "password", "$6$") if secret in text]
    seed = await seed_by(admin, driver, template)
    assert seed["user_data"] == "aGVsbG8="
    assert seed["password_hash"].startswith("$6$")


async def test_a_template_that_is_read_and_sent_back_keeps_its_secrets(
    admin: ApiClient, driver: MemoryDriver, template: str
) -> None:
    shown = await admin.document(template)
    assert (await admin.put(template, {**shown, "description": "changed"})).status == 200
    assert (await admin.put(f"{template}?$select=name", {"name": "renamed"})).status == 200
    seed = await seed_by(admin, driver, template)
    assert (seed["user_data"], seed["password_hash"][:3]) == ("aGVsbG8=", "$6$")


async def test_another_users_password_is_not_kept(admin: ApiClient, template: str) -> None:
    shown = await admin.document(template)
    shown["componentDescriptors"][0]["machineTemplate"]["credential"] = {"userName": "other"}
    assert (await admin.put(template, shown)).status == 200
    answer = await admin.post("systems", {"systemTemplate": {"href": template}})
    assert (answer.status, "credential: needs a key, or a userName with a password" in answer.message) == (400, True)


async def test_no_password_goes_to_disk_as_it_is(admin: ApiClient, gateway: Gateway, image: str, template: str) -> None:
    await admin.post("systems", {"systemTemplate": whole(image)}, Prefer="wait=60")
    rows = await gateway.store.fetch("SELECT document || internal FROM resources UNION ALL SELECT plan FROM plans")
    assert not [text for (text,) in rows if "hunter2" in text]


async def test_overrides_replace_the_descriptors_and_leave_the_template_alone(admin: ApiClient, template: str) -> None:
    before = await admin.document(template)
    overridden = {"href": template, "componentDescriptors": [volume()]}
    answer = await admin.post("systems", {"systemTemplate": overridden}, Prefer="wait=60")
    assert (await admin.document(f"{answer.location}/volumes"))["count"] == 1
    assert (await admin.document(f"{answer.location}/machines"))["count"] == 0
    assert await admin.document(template) == before


async def test_components_by_reference_take_overrides(admin: ApiClient, image: str) -> None:
    template = admin.machine(image)["machineTemplate"] | {"initialState": "STOPPED"}
    stored = (await admin.post("machineTemplates", template)).location
    web = described("Machine", {"href": stored, "networkInterfaces": on("front")}, "web")
    document = {"systemTemplate": {"componentDescriptors": [web, network()]}}
    answer = await admin.post("systems", document, Prefer="wait=60")
    assert answer.status == 201, answer.text
    made = (await members(admin, answer.location, "machines"))["web"]
    assert made["state"] == "STOPPED"
    front = (await members(admin, answer.location, "networks"))["front"]["id"]
    interfaces = await admin.document(made["networkInterfaces"]["href"])
    assert interfaces["machineNetworkInterfaces"][0]["network"]["href"] == front


@pytest.mark.parametrize(
    "descriptor, attribute",
    [
        (described("NetworkPort", {"network": {"href": "#none"}}, "p"), "networkPortTemplate.network"),
        (described("Machine", {"href": "machineTemplates/none"}, "p"), "machineTemplate"),
        ({**volume(), "quantity": 201}, "quantity"),
        (
            described("System", {"componentDescriptors": [described("NetworkPort", {"network": {"href": "#x"}})]}, "s"),
            "systemTemplate.componentDescriptors.0.networkPortTemplate.network",
        ),
    ],
)
async def test_what_is_wrong_is_told_when_the_template_is_kept(
    admin: ApiClient, descriptor: dict[str, Any], attribute: str
) -> None:
    answer = await admin.post("systemTemplates", {"componentDescriptors": [descriptor]})
    assert (answer.status, answer.message.partition(":")[0]) == (400, f"componentDescriptors.0.{attribute}")
    assert (await admin.document("systemTemplates"))["count"] == 0


async def test_a_name_inside_a_system_inside_is_not_known_outside(admin: ApiClient) -> None:
    inner = described("System", {"componentDescriptors": [network()]}, "inner")
    port = described("NetworkPort", {"network": {"href": "#front"}}, "port")
    answer = await admin.post("systemTemplates", {"componentDescriptors": [inner, port]})
    assert (answer.status, "no component is named 'front'" in answer.message) == (400, True)


async def test_a_template_inside_itself_makes_no_system(admin: ApiClient) -> None:
    url = (await admin.post("systemTemplates", {"componentDescriptors": [volume()]})).location
    inner = described("System", {"href": url}, "inner")
    assert (await admin.put(url, {"componentDescriptors": [volume(), inner]})).status == 200
    answer = await admin.post("systems", {"systemTemplate": {"href": url}})
    assert answer.status == 400
    assert "is inside itself" in answer.message
    assert "componentDescriptors.1.systemTemplate" in answer.message


async def test_a_template_of_an_admin_is_for_everybody(client: Callable[..., ApiClient], template: str) -> None:
    made = await client("operator").post("systems", {"systemTemplate": {"href": template}}, Prefer="wait=60")
    assert made.status == 201, made.text
    assert (await client("other").get(made.location)).status == 404
    assert (await client("operator").put(template, {"name": "mine"})).status == 403
