"""A provider that offers less than the gateway, and spells differently: everything is found from its entry point."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cimi_client import Client, JobFailed, NotFound, NotOffered, Resource, Server

from tests.client.other_provider import OtherProvider


@pytest.fixture
async def stranger(other: OtherProvider) -> AsyncIterator[Client]:
    async with Client(Server(other.url)) as client:
        yield client


async def made(client: Client, name: str = "web1") -> Resource:
    return await (await client.create("machines", {"name": name}))


async def test_a_create_without_job_and_document_is_followed_by_its_location(stranger: Client) -> None:
    machine = await made(stranger)
    assert (machine.name, machine.state, machine.number("cpu")) == ("web1", "STOPPED", 2)


async def test_the_create_document_says_its_type(stranger: Client, other: OtherProvider) -> None:
    await made(stranger)
    assert other.bodies == [{"resourceURI": "http://schemas.dmtf.org/cimi/1/MachineCreate", "name": "web1"}]


async def test_relative_links_with_queries_are_followed(stranger: Client, other: OtherProvider) -> None:
    machine = await made(stranger)
    assert machine.id == f"http://127.0.0.1:{other.port}/service/item?id=1"


async def test_an_action_is_sent_as_the_provider_spells_it_and_the_state_is_waited_for(
    stranger: Client, other: OtherProvider
) -> None:
    machine = await made(stranger)
    assert await (await stranger.act(machine, "start")) is None
    assert other.bodies[-1]["action"] == "http://schemas.dmtf.org/cimi/1/Action/start"
    assert (await stranger.get(machine.id)).state == "STARTED"


async def test_an_action_that_ends_in_error_has_failed(stranger: Client, other: OtherProvider) -> None:
    other.broken = True
    machine = await made(stranger)
    with pytest.raises(JobFailed, match="ERROR"):
        await (await stranger.act(machine, "start"))


async def test_items_are_listed_once_where_there_are_no_pages(stranger: Client) -> None:
    for name in ("a", "b", "c"):
        await made(stranger, name)
    assert [item.name async for item in stranger.items("machines", page=2)] == ["a", "b", "c"]


async def test_a_name_is_looked_up_where_nothing_is_filtered(stranger: Client) -> None:
    for name in ("a", "b", "c"):
        await made(stranger, name)
    assert (await stranger.find("machines", "b")).name == "b"
    with pytest.raises(NotFound):
        await stranger.find("machines", "d")


async def test_an_edit_needs_no_etag(stranger: Client) -> None:
    machine = await made(stranger)
    await (await stranger.edit(machine, {"name": "renamed"}))
    assert (await stranger.get(machine.id)).name == "renamed"


async def test_a_deleted_machine_is_gone_and_the_plain_words_are_told(stranger: Client) -> None:
    machine = await made(stranger)
    await (await stranger.delete(machine))
    with pytest.raises(NotFound, match="no machine 1"):
        await stranger.get(machine.id)


async def test_what_it_does_not_offer_is_said(stranger: Client) -> None:
    with pytest.raises(NotOffered, match="has no volumes; it has machineImages, machines"):
        await stranger.page("volumes")
    with pytest.raises(NotOffered, match="does not offer add"):
        await stranger.create("machineImages", {"name": "image"})
    assert await stranger.capabilities("Machine") is None


async def test_a_provider_at_a_local_socket_needs_no_login(tmp_path: Path) -> None:
    provider = OtherProvider(socket=str(tmp_path / "socket"))
    await provider.start()
    try:
        async with Client(Server(f"unix:{provider.socket}")) as client:
            assert (await client.entry_point()).href("machines") == "http://localhost/service/list?type=machines"
            assert (await client.page("machines")).count == 0
    finally:
        await provider.stop()
