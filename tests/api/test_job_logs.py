"""The log of a Job over HTTP: announced, in both formats, by the rights of the Job, and live for who wants it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from drivers.base import DriverFailed
from drivers.memory import MemoryDriver
from gateway.cimi.dialects import EXTENSION_NAMESPACE
from tests.api.client import ApiClient
from tests.api.streams import Message, listening

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
EXTENSION = f"{{{EXTENSION_NAMESPACE}}}"
NOTHING_MORE = 0.5
"""Seconds after which nothing more is expected to come."""


@pytest.fixture
async def stopped(admin: ApiClient, machine: str) -> str:
    """The Job of a stop that has ended."""
    job = (await admin.act(machine, "stop")).job
    await admin.ended(job)
    return job


def written(document: dict[str, list[dict[str, str]]]) -> list[tuple[str, str]]:
    return [(line["step"], line["message"]) for line in document["jobLines"]]


async def test_metadata_announces_the_log_of_a_job_and_its_lines(admin: ApiClient) -> None:
    job, line = [await admin.document(f"resourceMetadata/{kind}") for kind in ("Job", "JobLine")]
    [log] = [entry for entry in job["attributes"] if entry["name"] == "log"]
    assert log["namespace"] == EXTENSION_NAMESPACE
    assert line["typeURI"] == f"{EXTENSION_NAMESPACE}/JobLine"
    assert {entry["namespace"] for entry in line["attributes"]} == {EXTENSION_NAMESPACE}


async def test_the_log_has_what_each_step_wrote_from_begin_to_end(admin: ApiClient, stopped: str) -> None:
    document = await admin.document((await admin.document(stopped))["log"]["href"])
    lines = written(document)
    assert lines[0][0] == "begin"
    assert "by admin" in lines[0][1]
    assert lines[-1] == ("end", "SUCCESS")
    assert len(lines) == document["count"] > 2


async def test_the_log_is_the_same_in_xml(client: Clients, admin: ApiClient, stopped: str) -> None:
    xml = client("admin", "xml")
    href = (await xml.get(stopped)).xml.find(f"{EXTENSION}log")
    assert href is not None
    answer = await xml.get(href.get("href") or "")
    lines = answer.xml.findall(f"{EXTENSION}JobLine")
    assert [(told(line, "step"), told(line, "message")) for line in lines] == written(
        await admin.document(f"{stopped}/log")
    )


def told(line: ElementTree.Element, name: str) -> str:
    return line.findtext(f"{EXTENSION}{name}") or ""


async def test_each_line_has_a_url_of_its_own(client: Clients, admin: ApiClient, stopped: str) -> None:
    line = (await admin.document(f"{stopped}/log"))["jobLines"][1]
    assert line["id"].startswith(f"{stopped}/log/")
    assert await admin.document(line["id"]) == line
    assert (await client("admin", "xml").get(line["id"])).xml.tag == f"{EXTENSION}JobLine"


@pytest.mark.parametrize("number", ["0", "x", "1" * 30, "%C2%B2"])
async def test_a_line_that_the_log_does_not_have_is_404(admin: ApiClient, stopped: str, number: str) -> None:
    assert (await admin.get(f"{stopped}/log/{number}")).status == 404


async def test_a_line_of_another_job_is_not_in_the_log(admin: ApiClient, machine: str, stopped: str) -> None:
    other = (await admin.act(machine, "start")).job
    line = (await admin.document(f"{other}/log"))["jobLines"][0]["id"].rpartition("/")[2]
    assert (await admin.get(f"{stopped}/log/{line}")).status == 404


async def test_the_log_is_filtered_ordered_and_paged(admin: ApiClient, stopped: str) -> None:
    whole = (await admin.document(f"{stopped}/log"))["jobLines"]
    last = await admin.document(f"{stopped}/log?$orderby=id:desc&$first=1&$last=2")
    assert (last["jobLines"], last["count"]) == ([whole[-1], whole[-2]], len(whole))
    ends = await admin.document(f"{stopped}/log?$filter=step='end'")
    assert (ends["jobLines"], ends["count"]) == ([whole[-1]], 1)
    since = await admin.document(f"{stopped}/log?$filter=timestamp>='{whole[0]['timestamp']}'")
    assert since["count"] == len(whole)


async def test_the_log_stands_in_its_job_where_it_is_expanded(admin: ApiClient, stopped: str) -> None:
    expanded = (await admin.document(f"{stopped}?$expand=log"))["log"]
    assert written(expanded) == written(await admin.document(f"{stopped}/log"))


async def test_who_does_not_see_the_job_does_not_see_its_log(client: Clients, admin: ApiClient, stopped: str) -> None:
    line = (await admin.document(f"{stopped}/log"))["jobLines"][0]["id"]
    for url in (f"{stopped}/log", line):
        assert (await client("other").get(url)).status == 404


async def test_the_log_of_a_create_that_failed_says_why(client: Clients, image: str, driver: MemoryDriver) -> None:
    operator = client("operator")
    driver.fail_next("domains.define", DriverFailed("the hypervisor does not want to"))
    failed = await operator.post("machines", operator.machine(image), Prefer="wait=30")
    lines = (await operator.document(f"{failed.job}/log?$filter=level='error'"))["jobLines"]
    assert "the hypervisor does not want to" in lines[0]["message"]


async def test_lines_are_read_only(admin: ApiClient, stopped: str) -> None:
    line = (await admin.document(f"{stopped}/log"))["jobLines"][0]
    assert "operations" not in line
    assert (await admin.delete(line["id"])).status == 405
    assert (await admin.post(f"{stopped}/log", {})).status == 405


# Live


def of_lines(messages: list[Message]) -> list[tuple[str, str]]:
    return [(each.json["id"], each.json["message"]) for each in messages if each.event == "jobline"]


def ended(message: Message) -> bool:
    return message.event == "job" and message.json["state"] == "SUCCESS"


async def test_who_asks_for_lines_gets_each_of_them_before_the_end_of_its_job(admin: ApiClient, machine: str) -> None:
    async with listening(admin, "?jobLines=true") as stream:
        await stream.raw()
        job = (await admin.act(machine, "stop")).job
        messages = await stream.until(ended)
    kept = (await admin.document(f"{job}/log"))["jobLines"]
    assert of_lines(messages) == [(line["id"], line["message"]) for line in kept]


async def test_lines_come_in_xml_too(client: Clients, machine: str) -> None:
    xml = client("admin")
    async with listening(xml, "?jobLines=true&$format=xml") as stream:
        await stream.raw()
        await xml.acted(machine, "stop")
        messages = await stream.until(lambda message: message.event == "jobline")
    line = ElementTree.fromstring("\n".join(messages[-1].data))
    assert (line.tag, told(line, "step")) == (f"{EXTENSION}JobLine", "begin")


async def test_who_does_not_ask_for_lines_gets_none(admin: ApiClient, machine: str) -> None:
    async with listening(admin) as stream:
        await stream.raw()
        await admin.acted(machine, "stop")
        messages = await stream.until(ended)
    assert of_lines(messages) == []


async def test_lines_of_others_jobs_do_not_come(client: Clients, admin: ApiClient, machine: str) -> None:
    async with listening(client("other"), "?jobLines=true") as theirs, listening(admin, "?jobLines=true") as own:
        await theirs.raw()
        await own.raw()
        await admin.acted(machine, "stop")
        assert of_lines(await own.until(ended)) != []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(theirs.until(lambda message: message.event == "jobline"), NOTHING_MORE)


async def test_another_word_than_true_or_false_is_refused(admin: ApiClient) -> None:
    answer = await admin.get("eventStream?jobLines=yes")
    assert (answer.status, answer.message) == (400, "jobLines: 'yes' is neither true nor false")
