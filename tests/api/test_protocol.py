"""The protocol core: entry point, metadata, negotiation, queries, as 1.x clients use them."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from gateway.cimi.registry import TYPES
from tests.api.client import ApiClient

NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"
REST_CLIENT = "*/*; q=0.5, application/xml"


async def test_the_entry_point_lists_every_served_collection(admin: ApiClient) -> None:
    entry = await admin.document("")
    assert entry["resourceURI"] == "http://schemas.dmtf.org/cimi/1/CloudEntryPoint"
    assert entry["baseURI"] == admin.base
    assert entry["name"]
    for declared in TYPES.values():
        if declared.parent is None and not declared.singleton:
            assert (await admin.get(entry[declared.segment]["href"])).status == 200


async def test_the_entry_point_has_its_names(admin: ApiClient) -> None:
    entry = await admin.document("")
    assert await admin.document("cloudEntryPoint") == entry
    assert await admin.document(admin.base.rstrip("/")) == entry
    root = await admin.get(admin.base.removesuffix("cimi/"))
    assert (root.status, root.location) == (307, "/cimi/")


async def test_every_type_has_metadata_with_attributes_and_full_capabilities(admin: ApiClient) -> None:
    listed = await admin.document("resourceMetadata")
    known = {entry["name"]: entry for entry in listed["resourceMetadatas"]}
    assert set(known) == set(TYPES)
    for entry in known.values():
        assert entry["attributes"]
        for capability in entry.get("capabilities", []):
            assert set(capability) == {"name", "uri", "description", "value"}
    assert {"name": "console"}.items() <= next(
        action for action in known["Machine"]["actions"] if action["name"] == "console"
    ).items()


@pytest.mark.parametrize(
    ("accept", "type_"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/xml", "application/xml"),
        ("text/xml", "application/xml"),
        (REST_CLIENT, "application/xml"),
        ("application/json;q=0.5, application/xml;q=0.5", "application/json"),
        ("application/json;q=0.1, application/xml;q=0.2", "application/xml"),
        ("application/json;q=0, */*", "application/xml"),
    ],
)
async def test_accept_decides_the_format(admin: ApiClient, accept: str, type_: str) -> None:
    answer = await admin.get("", Accept=accept)
    assert answer.status == 200
    assert answer.headers["content-type"].partition(";")[0] == type_


async def test_format_overrides_accept(admin: ApiClient) -> None:
    assert (await admin.get("?$format=XML")).headers["content-type"].startswith("application/xml")
    assert (await admin.get("?$format=csv")).status == 406


async def test_head_has_the_headers_of_get_and_no_body(admin: ApiClient) -> None:
    head, get = await admin.request("HEAD", "machines"), await admin.get("machines")
    assert (head.status, head.text) == (200, "")
    assert head.headers["content-length"] == get.headers["content-length"]


async def test_every_answer_says_its_version(admin: ApiClient) -> None:
    assert (await admin.get("")).headers["cimi-specification-version"] == "1.1.0"
    assert (await admin.get("nothing")).headers["cimi-specification-version"] == "1.1.0"


async def test_hrefs_follow_the_host_that_the_client_used(admin: ApiClient) -> None:
    answer = await admin.get("", Host="cloud.example.org")
    assert answer.json["baseURI"] == "http://cloud.example.org/cimi/"
    forwarded = await admin.get("", X_Forwarded_Host="evil.example.org")
    assert forwarded.json["baseURI"] == admin.base


async def configurations(admin: ApiClient) -> None:
    for number in range(1, 13):
        document = {"name": f"c{number}", "cpu": number, "memory": 1000, "properties": {"parity": str(number % 2)}}
        assert (await admin.post("machineConfigs", document)).status == 201


async def test_filters_orders_and_pages_work_together(admin: ApiClient) -> None:
    await configurations(admin)
    url = "machineConfigs?$filter=memory=1000&$filter=property['parity']='0'&$orderby=cpu:desc&$first=2&$last=3"
    listed = await admin.document(url)
    assert listed["count"] == 6
    assert [item["cpu"] for item in listed["machineConfigurations"]] == [10, 8]


async def test_a_page_beyond_the_end_is_empty_with_a_true_count(admin: ApiClient) -> None:
    listed = await admin.document("machineConfigs?$first=1000")
    assert listed["count"] == 4
    assert "machineConfigurations" not in listed


async def test_select_on_a_collection_takes_from_the_items(admin: ApiClient) -> None:
    listed = await admin.document("machineConfigs?$select=name,cpu")
    assert {"id", "count", "resourceURI"} <= set(listed)
    assert set(listed["machineConfigurations"][0]) == {"resourceURI", "name", "cpu"}


async def test_expand_puts_collections_inside_in_both_formats(
    admin: ApiClient, client: Callable[..., ApiClient], machine: str
) -> None:
    document = await admin.document(f"{machine}?$expand=disks")
    assert document["disks"]["disks"][0]["name"] == "vda"
    assert document["disks"]["href"]
    root = (await client("admin", "xml").get(f"{machine}?$expand=disks")).xml
    assert root.findtext(f"{NAMESPACE}disks/{NAMESPACE}Disk/{NAMESPACE}name") == "vda"


async def test_unknown_query_parameters_are_ignored(admin: ApiClient) -> None:
    assert (await admin.get("machines?$frobnicate=1&x=y")).status == 200


async def test_items_of_a_list_equal_the_resources_they_show(admin: ApiClient, machine: str) -> None:
    listed = await admin.document("machines")
    assert listed["machines"] == [await admin.document(machine)]


async def test_a_credential_never_shows_its_password(admin: ApiClient) -> None:
    template = {"userName": "ops", "password": "hunter2"}
    answer = await admin.post("credentials", {"name": "c", "credentialTemplate": template})
    assert answer.status == 201
    assert answer.json["userName"] == "ops"
    for url in (answer.location, answer.job, "credentials"):
        assert "hunter2" not in (await admin.get(url)).text


async def test_jobs_are_listed_filtered_and_deleted(admin: ApiClient, machine: str) -> None:
    listed = await admin.document("jobs?$filter=state='SUCCESS'&$filter=action='add'")
    assert listed["count"] == 2
    assert (await admin.delete(listed["jobs"][0]["id"])).status == 200
    assert (await admin.document("jobs?$filter=action='add'"))["count"] == 1


# Access


async def test_strangers_get_401_with_a_challenge_everywhere_but_at_health(client: Callable[..., ApiClient]) -> None:
    stranger = client("")
    for method in ("GET", "POST", "PUT", "DELETE"):
        for url in ("", "machines", "machines/x", "nothing"):
            answer = await stranger.request(method, url, b"{}" if method in ("POST", "PUT") else None)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert (await stranger.get(stranger.base.removesuffix("cimi/") + "health")).status == 200


@pytest.mark.parametrize("header", ["Basic", "Basic !!", "Bearer x", "Basic " + "QQ==", "Basic w7w6w7w="])
async def test_broken_credentials_are_401(client: Callable[..., ApiClient], header: str) -> None:
    assert (await client("").get("", Authorization=header)).status == 401


async def test_a_password_too_long_for_bcrypt_is_401(client: Callable[..., ApiClient]) -> None:
    header = aiohttp.encode_basic_auth("admin", "secret" + "x" * 100)
    assert (await client("").get("", Authorization=header)).status == 401


async def test_others_machines_are_404_whatever_is_done(
    client: Callable[..., ApiClient], image: str
) -> None:
    mine, theirs = client("operator"), client("other")
    made = await mine.post("machines", mine.machine(image))
    assert made.status == 201
    assert (await theirs.document("machines"))["count"] == 0
    for url in (made.location, f"{made.location}/disks", f"{made.location}/console", made.job):
        assert (await theirs.get(url)).status == 404
    for answer in (
        await theirs.delete(made.location),
        await theirs.put(made.location, {"name": "x"}),
        await theirs.act(made.location, "stop"),
    ):
        assert answer.status == 404
    assert (await mine.document(made.location))["state"] == "STARTED"


async def test_an_admins_image_may_be_used_but_not_changed_by_operators(
    client: Callable[..., ApiClient], image: str
) -> None:
    operator = client("operator")
    document = await operator.document(image)
    assert "operations" not in document
    assert (await operator.delete(image)).status == 403


async def test_a_viewer_changes_nothing(client: Callable[..., ApiClient], image: str) -> None:
    viewer = client("viewer")
    assert "operations" not in await viewer.document("machines")
    for declared in TYPES.values():
        if declared.addable:
            body = {"machineTemplate": {}} if declared.kind == "Machine" else {"name": "x"}
            body = {"credentialTemplate": {}} if declared.kind == "Credential" else body
            assert (await viewer.post(declared.segment, body)).status == 403, declared.kind


async def test_only_admins_change_configurations(client: Callable[..., ApiClient]) -> None:
    operator = client("operator")
    listed = await operator.document("machineConfigs")
    assert listed["count"] >= 3
    item = listed["machineConfigurations"][0]["id"]
    assert (await operator.put(f"{item}?$select=name", {"name": "x"})).status == 403
    assert (await client("admin").put(f"{item}?$select=name", {"name": "x"})).status == 200


async def test_many_wrong_passwords_are_slowed_down(client: Callable[..., ApiClient]) -> None:
    stranger = client("")
    header = aiohttp.encode_basic_auth("operator", "wrong")
    answers = [await stranger.get("", Authorization=header) for _ in range(12)]
    assert answers[0].status == 401
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await client("admin").get("")).status == 200
