"""Who may see and do what, for every declared type and operation; secrets go in and never come out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app import Gateway
from gateway.cimi.registry import TYPES
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import GRANTS, granted
from tests.api.accounts import remove, set_role
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

SECRETS = ("hunter2", base64.b64encode(b"#cloud-config of mine").decode(), "#cloud-config of mine")
Clients = Callable[..., ApiClient]


@pytest.fixture
async def owned(client: Clients, image: str, images: Path) -> dict[str, str]:
    """One resource of each type that an operator may own, all theirs."""
    operator = client("operator")
    template = operator.machine(image, userData=SECRETS[1])["machineTemplate"]
    credential = {"userName": "ops", "password": SECRETS[0]}
    location = f"file://{images / 'guest.qcow2'}"
    documents = {
        "Machine": operator.machine(image, userData=SECRETS[1], credential=credential),
        "MachineTemplate": {**template, "credential": credential},
        "MachineImage": {"imageLocation": location},
        "Credential": {"credentialTemplate": credential},
        "CredentialTemplate": credential,
    }
    made = {}
    for kind, document in documents.items():
        answer = await operator.post(TYPES[kind].segment, document)
        assert answer.status == 201, answer.text
        made[kind] = answer.location
        made["Job"] = answer.job
    return made


def operations_of(kind: str) -> set[str]:
    declared = TYPES[kind]
    plain = {"add": declared.addable, "edit": declared.editable, "delete": declared.deletable}
    return {verb for verb, offered in plain.items() if offered} | {action.verb for action in declared.actions}


FOR_ONESELF = {("User", "edit"), ("Token", "add"), ("Token", "delete")}
"""What each user may do to what is theirs: change the password, have tokens."""


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_every_operation_of_every_type_says_who_may(kind: str) -> None:
    for verb in operations_of(kind):
        assert verb in GRANTS
        assert granted(Role.ADMIN, kind, verb)
        assert granted(Role.VIEWER, kind, verb) == ((kind, verb) in FOR_ONESELF)


@pytest.mark.parametrize("role", Role)
def test_an_operation_that_nobody_declared_is_denied_to_everybody(role: Role) -> None:
    assert not granted(role, "Machine", "launder")


async def test_the_owner_and_the_admin_see_it_with_its_operations(client: Clients, owned: dict[str, str]) -> None:
    for kind, url in owned.items():
        for user in ("operator", "admin"):
            shown = await client(user).document(url)
            rels = {entry["rel"].rpartition("/")[2] for entry in shown.get("operations", [])}
            assert {"edit", "delete"} <= rels, (kind, user)


@pytest.mark.parametrize("user", ["other", "viewer"])
async def test_to_everybody_else_it_does_not_exist(client: Clients, owned: dict[str, str], user: str) -> None:
    stranger = client(user)
    for kind, url in owned.items():
        collection, identity = url.rsplit("/", 1)
        assert identity not in (await stranger.get(collection)).text
        assert (await stranger.document(f"{collection}?$filter=id='{url}'"))["count"] == 0
        nested = [f"{url}/{segment}" for segment in TYPES[kind].collections.values()]
        actions = [f"{url}/{action.verb}" for action in TYPES[kind].actions]
        answers = [await stranger.get(each) for each in (url, *nested)]
        answers += [await stranger.put(url, {"name": "x"}), await stranger.delete(url)]
        answers += [await stranger.post(each, {}) for each in actions]
        assert {answer.status for answer in answers} == {404}, kind
        assert all("operator" not in answer.text for answer in answers)


async def test_anothers_resource_is_refused_in_a_document_as_one_that_is_not_there(
    client: Clients, owned: dict[str, str], image: str
) -> None:
    other = client("other")
    for attribute, kind in (("credential", "Credential"), ("machineImage", "MachineImage")):
        foreign, missing = owned[kind], owned[kind].rsplit("/", 1)[0] + "/none"
        answers = [
            await other.post("machines", other.machine(image, **{attribute: {"href": href}}))
            for href in (foreign, missing)
        ]
        assert [answer.status for answer in answers] == [400, 400]
        first, second = (answer.message.replace(foreign.rsplit("/", 1)[1], "none") for answer in answers)
        assert first == second
        assert first.startswith(f"machineTemplate.{attribute}")


@pytest.mark.parametrize(
    ("attribute", "href"),
    [
        ("machineConfig", "machineConfigs/none"),
        ("machineConfig", "jobs/none"),
        ("machineConfig", "machineConfigs"),
        ("machineImage", "machineImages/none"),
        ("machineImage", "machines/none"),
        ("machineImage", "https://elsewhere.example.org/cimi/machineImages/1"),
        ("machineImage", "machineImages/../machines/x"),
        ("credential", "credentials/none"),
        ("credential", "machineConfigs/none"),
        ("credential", ""),
    ],
)
@pytest.mark.parametrize("where", ["machines", "machineTemplates"])
async def test_dangling_wrong_and_foreign_references_are_400_by_the_attribute(
    admin: ApiClient, image: str, attribute: str, href: str, where: str
) -> None:
    document = admin.machine(image, **{attribute: {"href": href}})
    template = document["machineTemplate"]
    answer = await admin.post(where, document if where == "machines" else template)
    assert answer.status == 400
    assert answer.message.startswith(f"machineTemplate.{attribute}" if where == "machines" else attribute)
    assert (await admin.document(where))["count"] == 0


async def test_a_viewer_may_read_what_is_shared_and_do_nothing(client: Clients, image: str) -> None:
    viewer = client("viewer")
    config = (await viewer.document("machineConfigs"))["machineConfigurations"][0]["id"]
    for url in (image, config, ""):
        assert "operations" not in await viewer.document(url)
        assert (await viewer.put(url, {"name": "x"})).status == 403
        assert url == "" or (await viewer.delete(url)).status == 403


# Secrets


async def test_no_secret_is_in_any_answer_log_or_job(
    capfd: pytest.CaptureFixture[str], client: Clients, owned: dict[str, str]
) -> None:
    admin = client("admin")
    texts = []
    for url in (*owned.values(), "jobs", "credentials", "machineTemplates", "machines"):
        texts += [(await client("admin", media).get(f"{url}?$expand")).text for media in ("json", "xml")]
    for body in (
        {"credentialTemplate": {"password": SECRETS[0], "colour": 1}},
        {"credentialTemplate": {"userName": "ops", "password": [SECRETS[0]]}},
        {"machineTemplate": {"userData": "%" + SECRETS[1]}},
    ):
        answer = await admin.post("machines" if "machineTemplate" in body else "credentials", body)
        assert answer.status == 400
        texts.append(answer.text)
    written = capfd.readouterr()
    assert "machineTemplates" in written.out + written.err
    for secret in SECRETS:
        assert all(secret not in text for text in (*texts, written.out, written.err))


async def test_passwords_are_not_in_the_store(client: Clients, owned: dict[str, str], tmp_path: Path) -> None:
    for name in ("gateway.db", "gateway.db-wal"):
        assert SECRETS[0].encode() not in (tmp_path / name).read_bytes()


async def test_a_password_that_is_not_sent_again_stays(client: Clients, owned: dict[str, str]) -> None:
    operator, url = client("operator"), owned["Credential"]
    shown = await operator.document(url)
    assert "password" not in shown
    assert (await operator.put(url, shown)).status == 200
    assert (await operator.put(f"{url}?$select=name", {"name": "renamed"})).status == 200


# Users who change


async def test_a_change_of_a_user_counts_at_once(client: Clients, gateway: Gateway) -> None:
    await set_role(gateway, "viewer", Role.ADMIN)
    assert (await client("viewer").put("", {"name": "x"})).status == 200
    await remove(gateway, "viewer")
    assert (await client("viewer").get("")).status == 401
