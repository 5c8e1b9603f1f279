"""The protocol core: entry point, metadata, negotiation, queries, as 1.x clients use them."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp
import pytest

from demo.basic_auth import basic_auth
from gateway.cimi.registry import TYPES
from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE

pytestmark = pytest.mark.slow

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


async def test_metadata_shows_and_compares_the_standards_own_uris(admin: ApiClient) -> None:
    uri = "http://schemas.dmtf.org/cimi/1/Machine"
    (entry,) = (await admin.document(f"resourceMetadata?$filter=typeURI='{uri}'"))["resourceMetadatas"]
    assert (entry["typeURI"], entry["id"]) == (uri, f"{admin.base}resourceMetadata/Machine")
    uris = {capability["name"]: capability["uri"] for capability in entry["capabilities"]}
    assert uris["UserData"] == "http://schemas.dmtf.org/cimi/1/capability/Machine/UserData"


async def test_every_operation_of_a_machine_is_announced_in_its_metadata(admin: ApiClient, machine: str) -> None:
    actions = {entry["uri"]: entry for entry in (await admin.document("resourceMetadata/Machine"))["actions"]}
    offered = {entry["rel"] for entry in (await admin.document(machine))["operations"]}
    assert offered - {"edit", "delete"} <= set(actions)
    own = next(uri for uri in actions if uri.endswith("/action/console"))
    assert not own.startswith("http://schemas.dmtf.org/")
    assert actions[own]["method"] == "POST"


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


async def test_several_accept_lines_are_one(admin: ApiClient, session: aiohttp.ClientSession) -> None:
    headers = [("Accept", "text/csv"), ("Accept", "application/xml")]
    headers.append(("Authorization", basic_auth("admin", "secret")))
    async with session.get(admin.base, headers=headers) as answer:
        assert answer.headers["Content-Type"].startswith("application/xml")


@pytest.mark.parametrize("accept", ["text/csv", "application/json;q=0", "*/*;q=0", "application/xml;q=x", "nonsense"])
async def test_nothing_acceptable_is_406(admin: ApiClient, accept: str) -> None:
    assert (await admin.get("", Accept=accept)).status == 406


async def test_the_first_format_counts_whatever_its_case(admin: ApiClient) -> None:
    answer = await admin.get("?$format=XmL&$format=json", Accept="application/json")
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.headers["vary"] == "Accept, Authorization, CIMI-Project"


async def test_format_overrides_accept(admin: ApiClient) -> None:
    assert (await admin.get("?$format=XML")).headers["content-type"].startswith("application/xml")
    assert (await admin.get("?$format=csv")).status == 406


@pytest.mark.parametrize("url", ["", "machines", "machines?$select=count", "resourceMetadata/Machine", "nothing"])
async def test_head_has_the_headers_of_get_and_no_body(admin: ApiClient, url: str) -> None:
    head, get = await admin.request("HEAD", url), await admin.get(url)
    assert (head.status, head.text) == (get.status, "")
    for name in ("content-length", "content-type", "etag", "cimi-specification-version"):
        assert head.headers.get(name) == get.headers.get(name)


async def test_405_lists_what_the_url_does_take(admin: ApiClient, machine: str) -> None:
    reading = "GET, HEAD"
    for method, url, allow in (
        ("DELETE", "machines", f"{reading}, POST"),
        ("POST", "jobs", reading),
        ("POST", "resourceMetadata", reading),
        ("PUT", "resourceMetadata/Machine", reading),
        ("DELETE", "", f"{reading}, PUT"),
        ("PATCH", machine, f"{reading}, PUT, DELETE, POST"),
        ("GET", f"{machine}/stop", "POST"),
        ("DELETE", f"{machine}/console", f"{reading}, POST"),
    ):
        answer = await admin.request(method, url, {} if method != "DELETE" else None)
        assert (answer.status, answer.headers.get("allow")) == (405, allow), (method, url)


async def test_every_change_names_its_job_by_an_absolute_uri(admin: ApiClient, machine: str) -> None:
    made = await admin.post("machineConfigs", {"cpu": 1, "memory": 1})
    for answer, status in (
        (made, 201),
        (await admin.put(made.location, {"cpu": 2, "memory": 1}), 200),
        (await admin.delete(made.location), 200),
        (await admin.act(machine, "pause"), 202),
    ):
        assert answer.status == status
        assert (await admin.ended(answer.job))["state"] == "SUCCESS"
        assert answer.job.startswith(admin.base)
    assert made.location == made.json["id"]


@pytest.mark.parametrize(
    ("prefer", "status", "applied"),
    [
        ("respond-async", 202, "respond-async"),
        ("wait=0", 202, "wait=0"),
        ("wait=20", 200, "wait=20"),
        ("respond-async, wait=20", 200, "wait=20"),
        ("return=minimal", 200, None),
    ],
)
async def test_the_client_says_how_long_a_delete_may_take_to_answer(
    admin: ApiClient, machine: str, prefer: str, status: int, applied: str | None
) -> None:
    answer = await admin.delete(machine, Prefer=prefer)
    assert (answer.status, answer.headers.get("preference-applied")) == (status, applied)
    if status == 202:
        assert (answer.json["id"], answer.json["state"]) == (machine, "DELETING")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    assert (await admin.get(machine)).status == 404


@pytest.mark.parametrize(
    ("wanted", "spoken"),
    [
        ("", "1.1.0"),
        ("1", "1.1.0"),
        ("1.1", "1.1.0"),
        ("1.0", "1.0.1"),
        ("1.0.0", "1.0.0"),
        ("1.0.1", "1.0.1"),
        ("2.0, 1.0.1, 1.1", "1.0.1"),
        ("x, 1.x, , 1.0.0", "1.0.0"),
    ],
)
async def test_the_first_version_that_is_spoken_here_is_answered_in(admin: ApiClient, wanted: str, spoken: str) -> None:
    answer = await admin.get("", CIMI_Specification_Version=wanted)
    assert (answer.status, answer.headers["cimi-specification-version"]) == (200, spoken)


@pytest.mark.parametrize("wanted", ["2.0", "2.0.0, 3", "1.2", "0.9", "1.1.0.5.x", "nonsense"])
async def test_a_version_that_is_not_spoken_here_is_400_and_told(admin: ApiClient, wanted: str) -> None:
    answer = await admin.get("", CIMI_Specification_Version=wanted)
    assert (answer.status, answer.headers["cimi-specification-version"]) == (400, "1.1.0")
    assert answer.message.startswith("CIMI-Specification-Version")


async def test_errors_say_the_version_too(client: Callable[..., ApiClient], admin: ApiClient) -> None:
    for answer in (await admin.get("nothing"), await client("").get(""), await admin.put("machines", {})):
        assert answer.headers["cimi-specification-version"] == "1.1.0"


async def test_hrefs_follow_the_host_that_the_client_used(admin: ApiClient) -> None:
    answer = await admin.get("", Host="192.0.2.7:8080")
    assert answer.json["baseURI"] == "http://192.0.2.7:8080/cimi/"
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
    header = basic_auth("admin", "secret" + "x" * 100)
    assert (await client("").get("", Authorization=header)).status == 401


async def test_others_machines_are_404_whatever_is_done(client: Callable[..., ApiClient], image: str) -> None:
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
    assert [entry["rel"].rpartition("/")[2] for entry in document["operations"]] == ["download"]
    assert (await operator.delete(image)).status == 403


async def test_a_viewer_changes_nothing(client: Callable[..., ApiClient], image: str) -> None:
    viewer = client("viewer")
    assert "operations" not in await viewer.document("machines")
    for declared in TYPES.values():
        # Who may only read may have programs that read.
        if declared.addable and declared.parent is None and declared.kind != "Token":
            body: dict[str, object] = {declared.template: {}} if declared.template else {"name": "x"}
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
    header = basic_auth("operator", "wrong")
    answers = [await stranger.get("", Authorization=header) for _ in range(12)]
    assert answers[0].status == 401
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert (await client("admin").get("")).status == 200
