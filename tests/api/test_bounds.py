"""What documents and queries may have at most, in both formats, and that this is said."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.cimi.bounds import LONGEST_NAME, LONGEST_TEXT, MOST_ENTRIES, MOST_NODES
from gateway.http.representation import etag
from tests.api.client import ApiClient

pytestmark = pytest.mark.slow

CONFIG = {"cpu": 1, "memory": 65536}


def xml(**members: str) -> bytes:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    return f"<MachineConfiguration>{inner}<cpu>1</cpu><memory>65536</memory></MachineConfiguration>".encode()


@pytest.mark.parametrize(("member", "most"), [("name", LONGEST_NAME), ("description", LONGEST_TEXT)])
@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_text_may_be_so_long_and_no_longer(
    client: Callable[..., ApiClient], member: str, most: int, media: str
) -> None:
    sender = client("admin", media)
    for size, status in ((most, 201), (most + 1, 400)):
        said = {member: "ö" * size}
        answer = await sender.post("machineConfigs", {**CONFIG, **said} if media == "json" else xml(**said))
        assert answer.status == status
    assert f"{member}: has {most + 1} characters; at most {most} are allowed" in answer.text


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_edit_has_the_same_bounds(client: Callable[..., ApiClient], media: str) -> None:
    made = (await client("admin").post("machineConfigs", CONFIG)).location
    text = "x" * (LONGEST_NAME + 1)
    document = f"<MachineConfiguration><name>{text}</name></MachineConfiguration>".encode()
    sent = {"name": text} if media == "json" else document
    assert (await client("admin", media).put(f"{made}?$select=name", sent)).status == 400


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_properties_have_the_same_bounds(client: Callable[..., ApiClient], media: str) -> None:
    for key, value in (("k" * (LONGEST_NAME + 1), "v"), ("k", "v" * (LONGEST_TEXT + 1))):
        inner = f'<property key="{key}">{value}</property><cpu>1</cpu><memory>65536</memory>'
        text = f"<MachineConfiguration>{inner}</MachineConfiguration>".encode()
        document = {**CONFIG, "properties": {key: value}}
        answer = await client("admin", media).post("machineConfigs", document if media == "json" else text)
        assert answer.status == 400
        assert "has more than" in answer.text


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_an_array_may_have_so_many_entries_and_no_more(client: Callable[..., ApiClient], media: str) -> None:
    sender = client("operator", media)
    for number, status in ((MOST_ENTRIES, 201), (MOST_ENTRIES + 1, 400)):
        document = {"machineConfig": {**CONFIG, "disks": [{"capacity": 1024}] * number}}
        disks = "<disk><capacity>1024</capacity></disk>" * number
        config = f"<machineConfig><cpu>1</cpu><memory>65536</memory>{disks}</machineConfig>"
        text = f"<MachineTemplate>{config}</MachineTemplate>".encode()
        answer = await sender.post("machineTemplates", document if media == "json" else text)
        assert answer.status == status, answer.text[:300]
    assert f"at most {MOST_ENTRIES} are allowed" in answer.text


async def test_a_document_may_have_so_many_nodes_in_all(admin: ApiClient) -> None:
    ones = ",".join(["1"] * 900)
    inner = ",".join(f'"{number}":[{ones}]' for number in range(MOST_NODES // 900 + 1))
    answer = await admin.post("machines", b"{" + inner.encode() + b"}")
    assert answer.status == 400
    assert f"more than {MOST_NODES} members and entries" in answer.message


async def test_brackets_in_a_text_are_no_arrays(admin: ApiClient) -> None:
    text = '[\\"[' * 10_000
    answer = await admin.post("machineConfigs", {**CONFIG, "description": text})
    assert answer.status == 201
    assert answer.json["description"] == text


@pytest.mark.parametrize("number", [16, 17])
async def test_so_many_filters_may_stand_in_a_query(admin: ApiClient, number: int) -> None:
    answer = await admin.get("machines?" + "&".join(["$filter=cpu=1"] * number))
    assert answer.status == (200 if number == 16 else 400)


@pytest.mark.parametrize("collection", ["machineConfigs", "eventLogs/everything/events", "jobs"])
@pytest.mark.parametrize("word", ["or", "and"])
async def test_a_filter_may_have_as_many_parts_as_promised(admin: ApiClient, collection: str, word: str) -> None:
    for number, status in ((64, 200), (65, 400)):
        parts = f"%20{word}%20".join([f"name='{place}'" for place in range(number + 1)])
        assert (await admin.get(f"{collection}?$filter={parts}")).status == status


@pytest.mark.parametrize("collection", ["machineConfigs", "eventLogs/everything/events", "jobs"])
@pytest.mark.parametrize(("depth", "status"), [(10, 200), (20, 400)])
async def test_and_and_or_may_be_nested_in_each_other_so_deep(
    admin: ApiClient, collection: str, depth: int, status: int
) -> None:
    text = "(name='a'%20or%20(name='b'%20and%20" * depth + "name='c'" + "))" * depth
    answer = await admin.get(f"{collection}?$filter={text}")
    assert answer.status == status, answer.text


async def test_filters_with_alternatives_find_what_they_say(admin: ApiClient) -> None:
    for number in range(8):
        await admin.post("machineConfigs", {"name": f"c{number}", "cpu": number + 1, "memory": 65536})
    text = "name='c1'%20or%20name='c3'%20or%20(cpu>6%20and%20(name='c6'%20or%20name='c7')%20and%20memory=65536)"
    found = await admin.document(f"machineConfigs?$filter={text}&$orderby=name")
    assert [entry["name"] for entry in found["machineConfigurations"]] == ["c1", "c3", "c6", "c7"]


async def test_so_many_parameters_may_stand_in_a_query(admin: ApiClient) -> None:
    assert (await admin.get("machines?" + "&".join(["a"] * 256))).status == 200
    assert (await admin.get("machines?" + "&".join(["a"] * 257))).status == 400


async def test_header_fields_may_be_so_long_together(admin: ApiClient) -> None:
    fields = {f"X_{number}": "x" * 16_000 for number in range(5)}
    answer = await admin.get("machines", **fields)
    assert answer.status == 431
    assert "at most 65536 are allowed" in answer.message


async def test_a_list_whose_items_stand_expanded_ends_where_they_come_to_too_much(
    admin: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.effort.MOST_EXPANDED", 20)
    for number in range(12):
        await admin.post("machineConfigs", {"name": f"c{number}", **CONFIG})
    seen: list[str] = []
    while len(seen) < 12:
        page = await admin.document(f"jobs?$expand=*&$first={len(seen) + 1}")
        assert page["count"] == 12
        assert 1 <= len(page["jobs"]) < 12
        seen += [job["id"] for job in page["jobs"]]
    assert len(set(seen)) == 12


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_list_whose_items_are_large_ends_where_they_come_to_too_much(
    client: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch, media: str
) -> None:
    monkeypatch.setattr("gateway.http.effort.MOST_BYTES", 5_000)
    for number in range(12):
        document = {"name": f"c{number}", "description": "d" * 1_000, "capacity": 1024}
        await client("admin").post("volumeConfigs", document)
    seen: list[str] = []
    while len(seen) < 12:
        answer = await client("admin", media).get(f"volumeConfigs?$first={len(seen) + 1}")
        names = re.findall('name[">:]+(c[0-9]+)', answer.text)
        assert 1 <= len(names) <= 5
        assert re.search('count(>|":)12', answer.text)
        seen += names
    assert seen == [f"c{number}" for number in range(12)]


async def test_an_item_that_is_too_much_alone_is_shown(admin: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.http.effort.MOST_BYTES", 10)
    for number in range(2):
        await admin.post("volumeConfigs", {"name": f"c{number}", "capacity": 1024})
    page = await admin.document("volumeConfigs?$first=2")
    assert [entry["name"] for entry in page["volumeConfigurations"]] == ["c1"]


async def test_what_stands_expanded_counts_to_what_a_list_comes_to(
    admin: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.http.effort.MOST_BYTES", 5_000)
    for number in range(4):
        await admin.post("volumeConfigs", {"name": f"c{number}", "description": "d" * 4_000, "capacity": 1024})
    assert len((await admin.document("jobs"))["jobs"]) == 4
    assert len((await admin.document("jobs?$expand=targetResource"))["jobs"]) < 4


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize(("length", "thread"), [(10, "MainThread"), (60_000, "answers_0")])
async def test_few_resources_of_many_bytes_are_encoded_beside_the_event_loop(
    client: Callable[..., ApiClient], monkeypatch: pytest.MonkeyPatch, media: str, length: int, thread: str
) -> None:
    threads: dict[int, str] = {}

    def noted(body: bytes) -> str:
        threads[len(body)] = threading.current_thread().name
        return etag(body)

    for number in range(5):
        document = {"name": f"c{number}", "description": "d" * length, "capacity": 1024}
        await client("admin").post("volumeConfigs", document)
    monkeypatch.setattr("gateway.http.representation.etag", noted)
    monkeypatch.setattr("gateway.http.representation.WRITERS", ThreadPoolExecutor(1, thread_name_prefix="answers"))
    assert (await client("admin", media).get("volumeConfigs")).status == 200
    assert threads[max(threads)] == thread


@pytest.mark.parametrize("attribute", ["name", "state", "created", "updated", "id", "type", "description"])
async def test_events_are_filtered_and_ordered_by_what_other_resources_keep_in_columns(
    admin: ApiClient, attribute: str
) -> None:
    value = "2026-01-01" if attribute in ("created", "updated") else "'a'"
    for query in (f"$filter={attribute}={value}", f"$orderby={attribute}"):
        answer = await admin.get(f"eventLogs/everything/events?{query}")
        assert answer.status == 200, answer.text


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_machine_has_no_more_disks_than_there_are_device_names(
    client: Callable[..., ApiClient], image: str, media: str
) -> None:
    volume = {"volumeConfig": {"capacity": 1024}}
    document = client("admin").machine(image, volumeTemplates=[volume] * 800)
    inner = "<volumeTemplate><volumeConfig><capacity>1024</capacity></volumeConfig></volumeTemplate>" * 800
    config = "<machineConfig><cpu>1</cpu><memory>131072</memory></machineConfig>"
    text = f'<machineTemplate>{config}<machineImage href="{image}"/>{inner}</machineTemplate>'
    body = document if media == "json" else f"<MachineCreate>{text}</MachineCreate>".encode()
    answer = await client("admin", media).post("machines", body)
    assert answer.status == 409
    assert "as many disks as there are device names" in answer.text
