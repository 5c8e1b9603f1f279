"""ForwardingGroups through the API: who is in which, and what the packet filters of their Networks say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import DriverFailed, DriverUnavailable
from drivers.memory import MemoryDriver
from tests.api.addresses import private_network, repairs, until, wait_repaired
from tests.api.client import ApiClient
from tests.api.networks import made

pytestmark = pytest.mark.slow


def group(*networks: str, **rest: Any) -> dict[str, Any]:
    return {"name": "g", "forwardingGroupTemplate": {"networks": [{"href": href} for href in networks]}, **rest}


async def formed(client: ApiClient, *networks: str) -> str:
    answer = await client.post("forwardingGroups", group(*networks))
    assert answer.status == 201, answer.text
    return answer.location


@pytest.fixture
async def networks(admin: ApiClient) -> list[str]:
    return [await private_network(admin) for _ in range(3)]


def reaches(driver: MemoryDriver, network: str) -> tuple[str, ...]:
    """The ranges of other Networks which the filter lets this one's guests reach."""
    return driver.state.filters[network.rpartition("/")[2]].joined


async def ranges(client: ApiClient, *networks: str) -> tuple[str, ...]:
    shown = [await client.document(network) for network in networks]
    return tuple(sorted(entry for document in shown for entry in (document["cidr"], document["cidr6"])))


async def test_a_private_network_is_closed_before_it_joins_a_group(driver: MemoryDriver, networks: list[str]) -> None:
    known = driver.state.filters[networks[0].rpartition("/")[2]]
    assert (known.closed, known.joined) == (True, ())


async def test_the_networks_of_a_group_reach_one_another_and_no_others(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    one, other, outside = networks
    await formed(admin, one, other)
    assert reaches(driver, one) == await ranges(admin, other)
    assert reaches(driver, other) == await ranges(admin, one)
    assert reaches(driver, outside) == ()


async def test_both_sides_tell_of_the_membership(admin: ApiClient, networks: list[str]) -> None:
    url = await formed(admin, networks[0])
    shown = await admin.document(url)
    listed = await admin.document(shown["networks"]["href"])
    assert [entry["network"]["href"] for entry in listed["forwardingGroupNetworks"]] == [networks[0]]
    assert (await admin.document(networks[0]))["forwardingGroup"] == {"href": url}
    assert "forwardingGroup" not in await admin.document(networks[1])


async def test_a_network_joins_and_leaves_by_its_entry(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, networks[0])
    entry = await admin.post(f"{url}/networks", {"network": {"href": networks[1]}})
    assert entry.status == 201, entry.text
    assert reaches(driver, networks[0]) == await ranges(admin, networks[1])
    assert (await admin.delete(entry.location)).status == 200
    assert (await admin.get(entry.location)).status == 404
    assert [reaches(driver, network) for network in networks] == [(), (), ()]
    assert "forwardingGroup" not in await admin.document(networks[1])


async def test_a_network_joins_by_an_entry_in_xml(
    client: Callable[..., ApiClient], admin: ApiClient, networks: list[str]
) -> None:
    url = await formed(admin)
    body = (
        '<ForwardingGroupNetwork xmlns="http://schemas.dmtf.org/cimi/1">'
        f'<network href="{networks[0]}"/></ForwardingGroupNetwork>'
    )
    answer = await client("admin", "xml").post(f"{url}/networks", body.encode())
    assert answer.status == 201, answer.text
    assert answer.xml.find("{*}network").get("href") == networks[0]  # type: ignore[union-attr]


async def test_a_deleted_group_keeps_its_networks_apart(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, *networks)
    assert (await admin.delete(url)).status == 200
    assert (await admin.get(url)).status == 404
    assert [reaches(driver, network) for network in networks] == [(), (), ()]
    assert "forwardingGroup" not in await admin.document(networks[0])


async def test_a_deleted_network_leaves_its_group(admin: ApiClient, driver: MemoryDriver, networks: list[str]) -> None:
    url = await formed(admin, *networks[:2])
    assert (await admin.delete(networks[1])).status == 200
    assert reaches(driver, networks[0]) == ()
    assert (await admin.document(f"{url}/networks"))["count"] == 1


async def test_a_new_network_joins_the_group_of_its_template(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, networks[0])
    template = {"networkConfig": {"networkType": "PRIVATE"}, "forwardingGroup": {"href": url}}
    new = await made(admin, "networks", {"networkTemplate": template})
    assert reaches(driver, new) == await ranges(admin, networks[0])
    assert reaches(driver, networks[0]) == await ranges(admin, new)


async def test_a_network_that_cannot_be_made_leaves_the_group_as_it_was(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, networks[0])
    template = {"networkConfig": {"networkType": "PRIVATE"}, "forwardingGroup": {"href": url}}
    driver.fail_next("networks.start", DriverFailed("no bridge"))
    assert (await admin.post("networks", {"networkTemplate": template})).status == 500
    assert reaches(driver, networks[0]) == ()
    assert (await admin.document(f"{url}/networks"))["count"] == 1


async def test_a_network_is_in_one_group_at_most(admin: ApiClient, networks: list[str]) -> None:
    await formed(admin, networks[0])
    other = await formed(admin, networks[1])
    answer = await admin.post(f"{other}/networks", {"network": {"href": networks[0]}})
    assert (answer.status, "in one ForwardingGroup at most" in answer.message) == (409, True)
    again = await admin.post("forwardingGroups", group(networks[2], networks[2]))
    assert (again.status, "already in this ForwardingGroup" in again.message) == (409, True)
    assert (await admin.document("forwardingGroups"))["count"] == 2


async def test_a_network_asked_into_two_groups_at_once_gets_into_one(admin: ApiClient, networks: list[str]) -> None:
    urls = [await formed(admin), await formed(admin)]
    answers = await asyncio.gather(*(admin.post(f"{url}/networks", {"network": {"href": networks[0]}}) for url in urls))
    assert sorted(answer.status for answer in answers) == [201, 409]


async def test_a_network_that_leads_out_by_nat_cannot_be_routed(admin: ApiClient) -> None:
    public = await made(admin, "networks", {"networkTemplate": {"networkConfig": {"networkType": "PUBLIC"}}})
    answer = await admin.post("forwardingGroups", group(public))
    assert answer.status == 400
    assert answer.message.startswith("forwardingGroupTemplate.networks.0: the Network leads out by NAT")


async def test_the_hosts_own_network_cannot_be_routed(admin: ApiClient) -> None:
    default = (await admin.document("networks"))["networks"][0]["id"]
    answer = await admin.post("forwardingGroups", group(default))
    assert (answer.status, "the host's own" in answer.message) == (400, True)


async def test_overlapping_ranges_are_refused(admin: ApiClient, networks: list[str], gateway: Any) -> None:
    one, other, _ = networks
    path = "networks/" + other.rpartition("/")[2]
    async with gateway.store.transaction() as transaction:
        network = await transaction.get(path)
        wide = str((await admin.document(one))["cidr"]).replace(".0/24", ".128/25")
        await transaction.update(network.with_internal(ranges=[wide]))
    answer = await admin.post("forwardingGroups", group(one, other))
    assert (answer.status, "overlaps with" in answer.message) == (409, True)


@pytest.mark.parametrize("entry", [{}, {"network": {"href": "networks/none"}}, {"network": {"href": "machines/1"}}])
async def test_an_entry_needs_a_network(admin: ApiClient, entry: dict[str, Any]) -> None:
    url = await formed(admin)
    answer = await admin.post(f"{url}/networks", entry)
    assert (answer.status, answer.message.partition(":")[0]) == (400, "network")


async def test_a_filter_that_cannot_be_changed_leaves_the_network_outside(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, networks[0])
    driver.fail_next("filters.define", DriverFailed("no ebtables"))
    answer = await admin.post(f"{url}/networks", {"network": {"href": networks[1]}})
    assert answer.status == 500
    assert (await admin.document(f"{url}/networks"))["count"] == 1
    assert "forwardingGroup" not in await admin.document(networks[1])
    assert reaches(driver, networks[0]) == ()


async def test_a_template_gives_the_networks(admin: ApiClient, driver: MemoryDriver, networks: list[str]) -> None:
    document = {"name": "t", "networks": [{"href": networks[0]}, {"href": networks[1]}]}
    template = await admin.post("forwardingGroupTemplates", document)
    assert template.status == 201, template.text
    made_by = await admin.post("forwardingGroups", {"forwardingGroupTemplate": {"href": template.location}})
    assert made_by.status == 201, made_by.text
    assert reaches(driver, networks[0]) == await ranges(admin, networks[1])


async def test_anothers_networks_and_groups_are_not_to_be_joined(
    client: Callable[..., ApiClient], admin: ApiClient, networks: list[str]
) -> None:
    url = await formed(admin)
    other = client("other")
    own = await private_network(other)
    assert (await other.post("forwardingGroups", group(networks[0]))).status == 400
    assert (await other.post(f"{url}/networks", {"network": {"href": own}})).status == 404
    assert (await client("viewer").post("forwardingGroups", group())).status == 403


async def test_a_filter_that_others_changed_is_put_right_after_a_reconnect(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    await formed(admin, *networks[:2])
    expected = dict(driver.state.filters)
    driver.lose()
    driver.state.filters.clear()
    driver.regain()
    await until(lambda: driver.state.filters == expected)
    for network in networks:
        await wait_repaired(admin, network, "packet filter put right")


async def test_what_a_job_has_still_to_bring_to_the_packet_filter_is_no_repair(
    admin: ApiClient, driver: MemoryDriver, networks: list[str]
) -> None:
    url = await formed(admin, networks[0])
    driver.fail_next("filters.define", DriverUnavailable("away"))
    entry = {"network": {"href": networks[1]}}
    joined = await admin.post(f"{url}/networks", entry, Prefer="respond-async")
    driver.regain()
    await until(lambda: reaches(driver, networks[1]) != ())
    assert (await admin.ended(joined.job))["state"] == "SUCCESS"
    assert await repairs(admin, networks[1]) == []
