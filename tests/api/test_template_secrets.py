"""What is write-only: it stays until it is sent anew, erased, or what it belongs to goes; and stored templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from drivers.memory import MemoryDriver
from tests.api.client import ApiClient
from tests.api.seeds import seed_of

pytestmark = pytest.mark.slow

KEY = "ssh-ed25519 AAAA me@here"
Seed = Callable[..., Any]


@pytest.fixture
async def template(admin: ApiClient, image: str) -> str:
    made = await admin.post("machineTemplates", whole(image))
    assert made.status == 201, made.text
    return made.location


def whole(image: str, **changes: Any) -> dict[str, Any]:
    credential = {"userName": "ops", "key": KEY, "password": "hunter2"}
    config = {"cpu": 1, "memory": 131072}
    return {
        "initialState": "STOPPED",
        "machineConfig": config,
        "machineImage": {"href": image},
        "credential": credential,
        "userData": "aGVsbG8=",
        **changes,
    }


@pytest.fixture
def seed(admin: ApiClient, driver: MemoryDriver, template: str) -> Seed:
    """What a guest made by the template, and these overrides, is given."""

    async def of(**overrides: Any) -> dict[str, Any]:
        made = await admin.post("machines", {"machineTemplate": {"href": template, **overrides}})
        assert made.status == 201, made.text
        return seed_of(driver, made.location)

    return of


async def test_a_template_that_is_read_and_sent_back_keeps_its_secrets(
    admin: ApiClient, template: str, seed: Seed
) -> None:
    shown = await admin.document(template)
    assert "userData" not in shown
    assert "password" not in shown["credential"]
    assert (await admin.put(template, {**shown, "name": "renamed"})).status == 200
    given = await seed()
    assert given["user_data"] == "aGVsbG8="
    assert given["password_hash"].startswith("$6$")


async def test_xml_that_is_read_and_sent_back_keeps_the_secrets_too(
    client: Callable[..., ApiClient], template: str, seed: Seed
) -> None:
    xml = client("admin", "xml")
    assert (await xml.put(template, (await xml.get(template)).text.encode())).status == 200
    assert {"user_data", "password_hash"} <= set(await seed())


@pytest.mark.parametrize("query", ["", "?$select=userData"])
async def test_null_erases_user_data(admin: ApiClient, image: str, template: str, seed: Seed, query: str) -> None:
    document = {"userData": None} if query else whole(image, userData=None)
    assert (await admin.put(template + query, document)).status == 200
    given = await seed()
    assert "user_data" not in given
    assert given["password_hash"]


async def test_an_empty_element_erases_user_data(
    client: Callable[..., ApiClient], image: str, template: str, seed: Seed
) -> None:
    body = f"""<MachineTemplate><machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>
      <machineImage href="{image}"/><userData/></MachineTemplate>"""
    assert (await client("admin", "xml").put(template, body.encode())).status == 200
    assert "user_data" not in await seed()


async def test_a_selected_secret_that_is_left_out_is_erased(admin: ApiClient, template: str, seed: Seed) -> None:
    assert (await admin.put(f"{template}?$select=userData", {})).status == 200
    assert "user_data" not in await seed()


async def test_an_update_of_something_else_leaves_the_secrets_alone(
    admin: ApiClient, template: str, seed: Seed
) -> None:
    assert (await admin.put(f"{template}?$select=name", {"name": "x"})).status == 200
    assert {"user_data", "password_hash"} <= set(await seed())


@pytest.mark.parametrize(
    "credential",
    [
        {"userName": "ops", "key": KEY, "password": None},
        {"userName": "other", "key": KEY},
        None,
    ],
    ids=["null", "another user", "no credential"],
)
async def test_a_templates_password_goes_by_null_and_with_its_credential(
    admin: ApiClient, template: str, seed: Seed, credential: dict[str, Any] | None
) -> None:
    document = {name: value for name, value in (await admin.document(template)).items() if name != "credential"}
    if credential is not None:
        document["credential"] = credential
    assert (await admin.put(template, document)).status == 200
    assert "password_hash" not in await seed()
    if credential is None:
        restored = {"credential": {"userName": "ops", "key": KEY}}
        assert (await admin.put(f"{template}?$select=credential", restored)).status == 200
        assert "password_hash" not in await seed()


async def test_a_credential_that_overrides_the_templates_own_does_not_get_its_password(seed: Seed) -> None:
    given = await seed(credential={"userName": "mine", "key": KEY})
    assert (given["user"], given["keys"]) == ("mine", [KEY])
    assert "password_hash" not in given


async def test_a_credentials_password_is_erased_by_null(admin: ApiClient, seed: Seed) -> None:
    template = {"userName": "ops", "key": KEY, "password": "hunter2"}
    credential = (await admin.post("credentials", {"credentialTemplate": template})).location
    assert "password_hash" in await seed(credential={"href": credential})
    assert (await admin.put(credential, {"userName": "ops", "key": KEY})).status == 200
    assert "password_hash" in await seed(credential={"href": credential})
    assert (await admin.put(credential, {"userName": "ops", "key": KEY, "password": None})).status == 200
    assert "password_hash" not in await seed(credential={"href": credential})


async def test_the_password_that_a_credential_needs_is_not_erased(admin: ApiClient) -> None:
    template = {"userName": "ops", "password": "hunter2"}
    credential = (await admin.post("credentials", {"credentialTemplate": template})).location
    answer = await admin.put(f"{credential}?$select=password", {"password": None})
    assert answer.status == 400
    assert "needs a key, or a userName with a password" in answer.message


# What a stored template refers to, and holds


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"networkInterfaces": [{}, {"network": {"href": "networks/none"}}]}, "networkInterfaces.1.network"),
        ({"networkInterfaces": [{"network": {"href": "volumes/none"}}]}, "networkInterfaces.0.network"),
        ({"machineConfig": {"cpu": 1}}, "machineConfig.memory: is missing"),
        ({"machineConfig": {"cpu": 1, "memory": 1, "disks": [{}]}}, "machineConfig.disks.0.capacity: is missing"),
    ],
)
@pytest.mark.parametrize("verb", ["add", "edit"])
async def test_a_template_that_no_machine_could_be_made_by_is_400_and_says_why(
    admin: ApiClient, image: str, template: str, changes: dict[str, Any], named: str, verb: str
) -> None:
    document = whole(image, **changes)
    answer = await (admin.post("machineTemplates", document) if verb == "add" else admin.put(template, document))
    assert answer.status == 400
    assert answer.message.startswith(named)


async def test_what_a_template_erases_of_its_configuration_is_missed(admin: ApiClient, image: str) -> None:
    config = (await admin.document("machineConfigs?$last=1"))["machineConfigurations"][0]["id"]
    answer = await admin.post("machineTemplates", whole(image, machineConfig={"href": config, "cpu": None}))
    assert answer.status == 400
    assert answer.message.startswith("machineConfig.cpu: is missing")


async def test_a_property_that_is_called_as_a_secret_is_can_be_taken_away(admin: ApiClient, image: str) -> None:
    descriptor = {
        "name": "web",
        "type": "http://schemas.dmtf.org/cimi/1/Machine",
        "properties": {"userData": "mine", "tier": "1"},
        "machineTemplate": whole(image),
    }
    made = await admin.post("systemTemplates", {"componentDescriptors": [descriptor]})
    changed = {**descriptor, "properties": {"tier": "1"}}
    answer = await admin.put(made.location, {"componentDescriptors": [changed]})
    assert answer.status == 200, answer.text
    [shown] = (await admin.document(made.location))["componentDescriptors"]
    assert shown["properties"] == {"tier": "1"}
