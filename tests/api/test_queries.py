"""$filter, $orderby, $first, $last, $select, $expand on real collections, nested ones included, in both formats."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.api.client import ApiClient
from tests.api.namespaces import NAMESPACE

pytestmark = pytest.mark.slow

KINDS = (
    {"name": "a", "cpu": 1, "memory": 30, "properties": {"tier": "web", "zone": "1"}},
    {"name": "b", "cpu": 2, "memory": 20, "properties": {"tier": "db"}, "description": 'it\'s "b"'},
    {"name": "c", "cpu": 3, "memory": 20, "properties": {"tier": "web"}, "cpuArch": "x86_64"},
    {"name": "B", "cpu": 10, "memory": 10},
)


@pytest.fixture
async def configurations(admin: ApiClient) -> ApiClient:
    """Only ours: the shipped ones are deleted."""
    for item in (await admin.document("machineConfigs"))["machineConfigurations"]:
        await admin.delete(item["id"])
    for document in KINDS:
        assert (await admin.post("machineConfigs", document)).status == 201
    return admin


async def names(client: ApiClient, *filters: str, more: str = "") -> str:
    query = "&".join([f"$filter={quote(text)}" for text in filters] + ([more] if more else []))
    listed = await client.document(f"machineConfigs?{query}")
    return "".join(item["name"] for item in listed.get("machineConfigurations", []))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cpu=2", "b"),
        ("2=cpu", "b"),
        ("cpu!=2", "acB"),
        ("cpu<3", "ab"),
        ("3>cpu", "ab"),
        ("cpu<=3", "abc"),
        ("cpu>=3", "cB"),
        ("cpu>3", "B"),
        ("cpu='2'", "b"),
        ("name='b'", "b"),
        ("name!='b'", "acB"),
        ('name="b"', "b"),
        (" ( name = 'b' ) ", "b"),
        ("cpu=1 or cpu=2 and memory=99", "a"),
        ("(cpu=1 or cpu=2) and memory=20", "b"),
        ("cpu=1 and memory=30 or cpu=3 and memory=20", "ac"),
        ("property['tier']='web'", "ac"),
        ("property['tier']!='web'", "b"),
        ("property['none']!='web'", ""),
        ("property['zone']='1' or property['tier']='db'", "ab"),
        ("description='it\\'s \"b\"'", "b"),
        ("description!='x'", "b"),
        ("colour='red'", ""),
        ("colour!='red'", ""),
        ("created>2020-01-01", "abcB"),
        ("created>2020-01-01T00:00:00Z and created<2999-12-31T23:59:59.5+02:30", "abcB"),
        ("created<2020-01-01T00:00:00-01:15", ""),
        ("2020-01-01<updated", "abcB"),
    ],
)
async def test_filters_find_what_the_standard_says(configurations: ApiClient, text: str, found: str) -> None:
    assert await names(configurations, text) == found


async def test_several_filters_must_all_hold(configurations: ApiClient) -> None:
    assert await names(configurations, "memory=20", "property['tier']='web'") == "c"


async def test_dollars_quotes_and_signs_may_be_raw_or_encoded(configurations: ApiClient) -> None:
    for query in ("$filter=name='b'", "%24filter=name%3D%27b%27", "$filter=name='b'&$FILTER=nonsense"):
        assert (await configurations.document(f"machineConfigs?{query}"))["count"] == 1


@pytest.mark.parametrize(
    "text",
    ["", "()", "cpu=memory", "cpu=3.2", "cpu&&4", "property[tier]='x'", "property['tier']=4", "4=property['tier']",
     "name<'b'", "cpu='x'", "created='x'", "created>2020-13-01", "cpu=-1", "cpu==1", "cpu=1 AND cpu=2", "cpu"],
)  # fmt: skip
async def test_wrong_filters_are_400_in_the_clients_format(
    configurations: ApiClient, client: Callable[..., ApiClient], text: str
) -> None:
    answer = await configurations.get(f"machineConfigs?$filter={quote(text)}")
    assert answer.status == 400
    assert answer.message.startswith("$filter: ")
    answer = await client("admin", "xml").get(f"machineConfigs?$filter={quote(text)}")
    assert (answer.xml.findtext(f"{NAMESPACE}statusMessage") or "").startswith("$filter: ")


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("cpu", "abcB"),
        ("cpu:desc", "Bcba"),
        ("memory:asc,cpu:desc", "Bcba"),
        ("memory,cpu", "Bbca"),
        ("name", "Babc"),
        ("cpuArch,cpu", "cabB"),
        ("cpuArch:desc,cpu", "cabB"),
        ("created:desc", "Bcba"),
        ("colour,cpu:desc", "Bcba"),
    ],
)
async def test_orderby_sorts_by_type_with_missing_values_last(
    configurations: ApiClient, order: str, found: str
) -> None:
    assert await names(configurations, more=f"$orderby={order}") == found


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("$first=2", "bcB"),
        ("$last=2", "ab"),
        ("$first=2&$last=3", "bc"),
        ("$first=3&$last=2", ""),
        ("$first=5", ""),
        ("$first=0&$last=0", ""),
        ("$first=-3&$last=2", "ab"),
        ("$first=x&$last=1.5", "abcB"),
        ("$last=99999999999999999999", "abcB"),
    ],
)
async def test_pages_are_of_the_order_and_leave_the_count(configurations: ApiClient, page: str, found: str) -> None:
    assert await names(configurations, more=page) == found
    assert (await configurations.document(f"machineConfigs?{page}"))["count"] == 4


async def test_pages_are_cut_after_filter_and_order(configurations: ApiClient) -> None:
    query = "$filter=memory<30&$orderby=cpu:desc&$first=2&$last=2&$select=name"
    listed = await configurations.document(f"machineConfigs?{query}")
    assert (listed["count"], [item["name"] for item in listed["machineConfigurations"]]) == (3, ["c"])


# Selection and expansion


async def test_select_takes_top_level_names_repeated_and_unknown_ones_included(admin: ApiClient, machine: str) -> None:
    selected = await admin.document(f"{machine}?$select=name,cpu&$select=cpu,state,colour")
    assert set(selected) == {"resourceURI", "name", "cpu", "state"}
    assert set(await admin.document(f"{machine}?$select=operations")) == {"resourceURI", "operations"}
    assert await admin.document(f"{machine}?$select=*") == await admin.document(machine)


async def test_names_of_the_collection_select_from_it(admin: ApiClient, machine: str) -> None:
    assert set(await admin.document("machines?$select=count")) == {"resourceURI", "count"}
    listed = await admin.document("machines?$select=machines")
    assert listed["machines"] == [await admin.document(machine)]


async def test_nested_collections_answer_queries_too(admin: ApiClient, image: str) -> None:
    disks = [{"capacity": 50_000}, {"capacity": 70_000}, {"capacity": 60_000}]
    config = {"cpu": 1, "memory": 131072, "disks": disks}
    machine = (await admin.post("machines", admin.machine(image, machineConfig=config))).location
    query = "$filter=capacity>50000&$orderby=capacity:desc&$select=name,capacity"
    listed = await admin.document(f"{machine}/disks?{query}")
    assert listed["count"] == 2
    assert [(disk["name"], disk["capacity"]) for disk in listed["disks"]] == [("vdb", 70_000), ("vdc", 60_000)]


async def test_references_compare_by_their_uri(admin: ApiClient, machine: str) -> None:
    network = (await admin.document("networks"))["networks"][0]["id"]
    url = f"{machine}/networkInterfaces?$filter=network="
    assert (await admin.document(f"{url}'{network}'"))["count"] == 1
    assert (await admin.document(f"{url}'{network}x'"))["count"] == 0
    assert (await admin.document(f"machines?$filter=id='{machine}'"))["count"] == 1


async def test_jobs_are_found_by_the_action_that_they_show(admin: ApiClient, machine: str) -> None:
    await admin.acted(machine, "pause")
    action = (await admin.document(f"jobs?$filter=targetResource='{machine}'"))["jobs"][0]["action"]
    assert action == "http://schemas.dmtf.org/cimi/1/action/pause"
    for spelling in (action, "pause"):
        assert (await admin.document(f"jobs?$filter=action='{quote(spelling)}'"))["count"] == 1


async def test_expanding_everything_goes_one_level_deep(admin: ApiClient, machine: str) -> None:
    document = await admin.document(f"{machine}?$expand")
    interface = document["networkInterfaces"]["machineNetworkInterfaces"][0]
    assert set(interface["addresses"]) == {"href"}
    assert document["volumes"]["count"] == 0
    assert document == await admin.document(f"{machine}?$expand=*")


async def test_items_of_nested_collections_expand(
    admin: ApiClient, client: Callable[..., ApiClient], machine: str
) -> None:
    url = f"{machine}/networkInterfaces?$expand=network,colour&$select=network"
    [item] = (await admin.document(url))["machineNetworkInterfaces"]
    assert item["network"]["name"] == "default"
    assert item["network"]["id"] == item["network"]["href"]
    root = (await client("admin", "xml").get(url)).xml
    assert root.findtext(f"{NAMESPACE}MachineNetworkInterface/{NAMESPACE}network/{NAMESPACE}name") == "default"


async def test_expanded_templates_keep_their_overrides_in_both_formats(
    admin: ApiClient, client: Callable[..., ApiClient], configurations: ApiClient
) -> None:
    config = (await admin.document("machineConfigs?$filter=name='a'"))["machineConfigurations"][0]["id"]
    made = await admin.post("machineTemplates", {"machineConfig": {"href": config, "cpu": 7}})
    shown = (await admin.document(f"{made.location}?$expand=machineConfig"))["machineConfig"]
    assert (shown["href"], shown["id"], shown["cpu"], shown["memory"]) == (config, config, 7, 30)
    root = (await client("admin", "xml").get(f"{made.location}?$expand=machineConfig")).xml
    texts = {name: root.findtext(f"{NAMESPACE}machineConfig/{NAMESPACE}{name}") for name in ("id", "cpu", "memory")}
    assert texts == {"id": config, "cpu": "7", "memory": "30"}


async def test_a_reference_to_what_the_caller_may_not_see_stays_bare(
    client: Callable[..., ApiClient], image: str
) -> None:
    mine, admin = client("operator"), client("admin")
    secret = await mine.post("machineTemplates", {"name": "mine"})
    job = await admin.document(secret.job)
    assert (await admin.document(f"{job['id']}?$expand=affectedResources"))["affectedResources"][-1]["name"] == "mine"
    assert (await client("other").get(f"{job['id']}?$expand")).status == 404
