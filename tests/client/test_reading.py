"""What a client reads of a gateway, in both formats."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from cimi_client import Ambiguous, Client, NotFound, NotOffered, Query, Resource

from tests.client.machines import Opener, machine_document


async def named(client: Client, image: Resource, *names: str) -> list[Resource]:
    """Machines whose property ``test`` is new, so that they are told from those of other tests."""
    mark = uuid.uuid4().hex
    return [await (await client.create("machines", machine_document(image.id, name, test=mark))) for name in names]


def mine(made: list[Resource], **query: Any) -> Query:
    """The query of these Machines alone."""
    return Query(filters=(f"property['test']='{made[0].properties['test']}'", *query.pop("filters", ())), **query)


async def test_a_machine_has_its_attributes_typed(either: Client, machine: Resource) -> None:
    read = await either.get(machine.id)
    assert (read.kind, read.name, read.state) == ("Machine", "web1", "STOPPED")
    assert (read.number("cpu"), read.number("memory")) == (1, 131072)
    assert read.href("disks") == f"{machine.id}/disks"


async def test_a_machine_says_what_can_be_done_with_it_now(either: Client, machine: Resource) -> None:
    read = await either.get(machine.id)
    assert {"edit", "delete", "start"} <= set(read.operations)
    assert "stop" not in read.operations
    assert read.rel("start") == "http://schemas.dmtf.org/cimi/1/action/start"


async def test_both_formats_give_the_same_document(opened: Opener, machine: Resource) -> None:
    async with opened("admin", "json") as json, opened("admin", "xml") as xml:
        for reference in ("machines", machine.id, "jobs", "meterConfigs/cpu", "eventLogs"):
            assert (await xml.get(reference)).document == (await json.get(reference)).document


async def test_a_collection_is_read_page_by_page(either: Client, image: Resource) -> None:
    made = await named(either, image, "a", "b", "c", "d", "e")
    read = [item.id async for item in either.items("machines", mine(made), page=2)]
    assert sorted(read) == sorted(machine.id for machine in made)


async def test_a_part_of_a_collection_is_read_by_positions(client: Client, image: Resource) -> None:
    made = await named(client, image, "a", "b", "c", "d", "e")
    query = mine(made, order=("name",), first=2, last=4)
    assert [item.name async for item in client.items("machines", query, page=2)] == ["b", "c", "d"]


async def test_a_filter_is_asked_of_the_provider(either: Client, image: Resource) -> None:
    query = mine(await named(either, image, "a", "b"), filters=("name='b'", "state='STOPPED'"))
    assert [item.name async for item in either.items("machines", query)] == ["b"]


NAMES = ["it's", 'a "quoted" one', "both ' and \"", "back\\slash", "Grüße 世界", "50% & more=?", "two\nlines"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_machine_is_looked_up_by_whatever_name_it_has(client: Client, image: Resource, name: str) -> None:
    [made, _other] = await named(client, image, name, "other")
    assert (await client.find("machines", name)).id == made.id


async def test_a_machine_is_looked_up_by_its_id_and_by_its_url(client: Client, machine: Resource) -> None:
    assert (await client.find("machines", machine.key)).id == machine.id
    assert (await client.find("machines", machine.id)).name == "web1"


async def test_a_name_that_two_have_is_ambiguous_and_their_ids_are_told(client: Client, image: Resource) -> None:
    made = await named(client, image, "twin", "twin")
    with pytest.raises(Ambiguous) as error:
        await client.find("machines", "twin")
    assert sorted(error.value.ids) == sorted(machine.id for machine in made)


@pytest.mark.parametrize("name", ["none", "0123456789abcdef0123456789abcdef", "..", "../jobs", "a/b"])
async def test_a_name_that_nobody_has_is_not_there(client: Client, name: str) -> None:
    with pytest.raises(NotFound):
        await client.find("machines", name)


async def test_a_collection_that_there_is_not_is_not_offered_and_those_that_are_are_named(client: Client) -> None:
    with pytest.raises(NotOffered, match=r"has no services; it has .*machines"):
        await client.collection("services")


async def test_what_a_type_can_do_is_said_by_its_metadata(either: Client) -> None:
    capabilities = await either.capabilities("Machine")
    assert capabilities is not None
    assert (capabilities["DefaultInitialState"], capabilities["MachineStopForce"]) == ("STARTED", True)
