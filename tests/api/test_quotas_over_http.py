"""Quotas over HTTP: each user sees their own, an admin sees and sets all, in both formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from tests.api.audits import audited
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
OWN = "quotas/project-operator"
OURS = f"{{{EXTENSION_NAMESPACE}}}"


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    return replace(settings, quotas={"machines": 2}, user_quotas={"machines": 5})


@pytest.fixture
def operator(client: Client) -> ApiClient:
    return client("operator")


def limits(quota: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {limit["name"]: limit for limit in quota["limits"]}


async def make(client: ApiClient, image: str) -> int:
    document = client.machine(image, initialState="STOPPED")
    return (await client.post("machines", document, Prefer="wait=30")).status


async def test_the_entry_point_leads_to_them(admin: ApiClient) -> None:
    quotas = await admin.document((await admin.document(""))["quotas"]["href"])
    assert quotas["count"] >= 2
    described = (await admin.document("resourceMetadata/CloudEntryPoint"))["attributes"]
    [attribute] = [entry for entry in described if entry["name"] == "quotas"]
    assert attribute["namespace"] == "http://cimi-gateway.org/ns/1"


async def test_a_user_sees_what_the_own_project_and_they_have_and_may_have(operator: ApiClient, image: str) -> None:
    assert await make(operator, image) == 201
    quotas = {quota["scope"]: quota for quota in (await operator.document("quotas"))["quotas"]}
    assert {scope: quota["name"] for scope, quota in quotas.items()} == {"project": "operator", "user": "operator"}
    assert limits(quotas["project"])["machines"] == {"name": "machines", "used": 1, "allowed": 2}
    assert limits(quotas["user"])["machines"]["allowed"] == 5
    assert limits(quotas["project"])["memory"] == {"name": "memory", "used": 131072, "unit": "KiB"}


async def test_it_is_said_in_xml_too(client: Client, operator: ApiClient, image: str) -> None:
    assert await make(operator, image) == 201
    quota = (await client("operator", "xml").get(OWN)).xml
    shown = {
        limit.findtext(f"{OURS}name"): (limit.findtext(f"{OURS}used"), limit.findtext(f"{OURS}allowed"))
        for limit in quota.findall(f"{OURS}limit")
    }
    assert shown["machines"] == ("1", "2")


@pytest.mark.parametrize("path", ["quotas/project-other", "quotas/user-other", "quotas/host-local", "quotas/nothing"])
async def test_others_quotas_are_not_there(operator: ApiClient, path: str) -> None:
    assert (await operator.get(path)).status == 404


@pytest.mark.parametrize("user", ["operator", "viewer"])
async def test_only_an_admin_sets_one(client: Client, user: str) -> None:
    refused = await client(user).put(f"quotas/project-{user}", {"limits": [{"name": "machines", "allowed": 9}]})
    assert refused.status == 403


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_what_an_admin_sets_holds_at_once(
    client: Client, admin: ApiClient, operator: ApiClient, image: str, media: str
) -> None:
    xml = b"<Quota><limit><name>machines</name><allowed>0</allowed></limit></Quota>"
    document = {"limits": [{"name": "machines", "allowed": 0}]} if media == "json" else xml
    answer = await client("admin", media).put(OWN, document)
    assert answer.status == 200, answer.text
    assert limits(await operator.document(OWN))["machines"]["allowed"] == 0
    assert await make(operator, image) == 403


async def test_a_limit_without_allowed_is_no_bound_and_one_that_is_left_out_is_the_default(
    admin: ApiClient, operator: ApiClient
) -> None:
    await admin.put(OWN, {"limits": [{"name": "machines"}, {"name": "volumes", "allowed": 3}]})
    assert "allowed" not in limits(await operator.document(OWN))["machines"]
    await admin.put(OWN, {"limits": []})
    after = limits(await operator.document(OWN))
    assert (after["machines"]["allowed"], "allowed" in after["volumes"]) == (2, False)


async def test_what_was_read_may_be_sent_back(admin: ApiClient, operator: ApiClient) -> None:
    before = await admin.document(OWN)
    assert (await admin.put(OWN, before)).status == 200
    assert limits(await operator.document(OWN)) == limits(before)


@pytest.mark.parametrize(
    ("wrong", "attribute"),
    [
        ({"name": "machine", "allowed": 1}, "limits.0.name"),
        ({"name": "machines", "allowed": -1}, "limits.0.allowed"),
        ({"allowed": 1}, "limits.0.name"),
    ],
)
async def test_a_mistake_is_named(admin: ApiClient, wrong: dict[str, Any], attribute: str) -> None:
    refused = await admin.put(OWN, {"limits": [wrong]})
    assert refused.status == 400
    assert attribute in refused.message


async def test_what_is_bounded_as_it_happens_is_no_quota_of_a_user(admin: ApiClient) -> None:
    refused = await admin.put("quotas/user-operator", {"limits": [{"name": "event_streams", "allowed": 1}]})
    assert refused.status == 400


async def test_a_setting_is_an_entry_of_the_audit_log(admin: ApiClient, gateway: Gateway) -> None:
    await admin.put(OWN, {"limits": []})
    entry = (await audited(gateway))[-1]
    assert (entry["user"], entry["operation"], entry["resource"]) == ("admin", "edit", OWN)


async def test_they_are_filtered_and_paged(admin: ApiClient) -> None:
    answer = await admin.document("quotas?$filter=scope='user'%20and%20name='admin'")
    assert [quota["id"].removeprefix(admin.base) for quota in answer["quotas"]] == ["quotas/user-admin"]
    assert len((await admin.document("quotas?$last=1"))["quotas"]) == 1
