"""Projects: what is in one is shared by those who have a role in it, and is not there for anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.app import Gateway
from tests.api.accounts import remove
from tests.api.client import ApiClient
from tests.api.streams import listening

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
KEY = {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}}


@pytest.fixture
async def team(admin: ApiClient) -> str:
    """The project ``team``, of which ``operator`` is an operator, and ``viewer`` a viewer; its URL."""
    made = await admin.post("projects", {"name": "team"})
    assert made.status == 201, made.text
    for name in ("operator", "viewer"):
        member = await admin.post(f"{made.location}/members", {"userName": name, "role": name})
        assert member.status == 201, member.text
    return made.location


def in_team(client: ApiClient) -> ApiClient:
    return replace(client, project="team")


@pytest.mark.usefixtures("team")
async def test_members_share_what_is_in_a_project(client: Clients, image: str) -> None:
    operator, viewer = in_team(client("operator")), in_team(client("viewer"))
    machine = await operator.post("machines", operator.machine(image), Prefer="wait=30")
    assert machine.status == 201
    assert (await viewer.get(machine.location)).status == 200
    assert (await viewer.document("machines"))["count"] == 1
    assert (await viewer.act(machine.location, "stop")).status == 403


@pytest.mark.usefixtures("team")
async def test_what_is_in_a_project_is_not_there_in_another(client: Clients) -> None:
    operator = client("operator")
    made = await in_team(operator).post("credentials", KEY)
    assert (await operator.get(made.location)).status == 404
    assert (await operator.document("credentials"))["count"] == 0
    own = await operator.post("credentials", KEY)
    assert (await in_team(operator).get(own.location)).status == 404


@pytest.mark.usefixtures("team")
async def test_a_reference_into_another_project_leads_nowhere(client: Clients, image: str) -> None:
    operator = client("operator")
    key = await in_team(operator).post("credentials", KEY)
    wish = operator.machine(image, credential={"href": key.location})
    assert (await operator.post("machines", wish)).status == 400
    assert (await in_team(operator).post("machines", wish, Prefer="wait=30")).status == 201


@pytest.mark.parametrize("project", ["team", "none", "operator", "", "te\u00e4m", "x" * 5000])
async def test_a_project_without_a_role_in_it_is_as_one_that_is_not(client: Clients, team: str, project: str) -> None:
    answer = await replace(client("other"), project=project).get("machines")
    if project:
        assert answer.status == 403
        assert (
            answer.message.replace(project[:64], "P")
            == "CIMI-Project: there is no project 'P' in which you have a role"
        )
    else:
        assert answer.status == 200
    assert (await client("other").get(team)).status == 404


@pytest.mark.usefixtures("team")
async def test_an_admin_sees_all_projects_and_acts_in_one_that_is_chosen(client: Clients) -> None:
    admin = client("admin")
    made = await in_team(client("operator")).post("credentials", KEY)
    assert (await admin.get(made.location)).status == 200
    own = await admin.post("credentials", KEY)
    assert [item["id"] for item in (await in_team(admin).document("credentials"))["credentials"]] == [made.location]
    assert (await in_team(admin).get(own.location)).status == 404
    assert (await in_team(admin).put("", {"name": "x"})).status == 403


@pytest.mark.usefixtures("team")
async def test_each_user_sees_the_projects_that_they_have_a_role_in(client: Clients) -> None:
    async def names(user: str) -> list[str]:
        return sorted(item["name"] for item in (await client(user).document("projects"))["projects"])

    assert await names("operator") == ["operator", "team"]
    assert await names("other") == ["other"]
    assert set(await names("admin")) >= {"admin", "operator", "other", "team", "viewer"}


async def test_who_manages_a_project_chooses_its_members(client: Clients, team: str) -> None:
    admin, other, wish = client("admin"), client("other"), {"userName": "admin", "role": "viewer"}
    assert (await in_team(client("operator")).post(f"{team}/members", wish)).status == 403
    manager = (await admin.post(f"{team}/members", {"userName": "other", "role": "admin"})).location
    assert (await other.post(f"{team}/members", wish)).status == 403, "not in a request that is made elsewhere"
    assert (await in_team(other).post(f"{team}/members", wish)).status == 201
    assert (await in_team(other).delete(manager)).status == 200
    assert (await in_team(other).get("machines")).status == 403


async def test_a_user_shares_their_own_project(client: Clients) -> None:
    operator = client("operator")
    own = (await operator.document("projects"))["projects"][0]["id"]
    await operator.post("credentials", KEY)
    assert (await operator.post(f"{own}/members", {"userName": "viewer", "role": "operator"})).status == 201
    guest = replace(client("viewer"), project="operator")
    assert (await guest.document("credentials"))["count"] == 1
    assert (await guest.post("credentials", KEY)).status == 201, "a viewer at home is an operator there"


async def test_a_role_that_is_taken_opens_nothing_that_is_remembered(client: Clients, team: str) -> None:
    operator, viewer, admin = in_team(client("operator")), in_team(client("viewer")), client("admin")
    made = await operator.post("credentials", KEY)
    for _ in range(3):
        assert (await viewer.get(made.location)).status == 200
    members = (await admin.document(f"{team}/members"))["projectMembers"]
    for member in members:
        assert (await admin.delete(member["id"])).status == 200
    assert (await viewer.get(made.location)).status == 403


async def test_a_role_that_changes_counts_at_once(client: Clients, team: str) -> None:
    viewer, admin = in_team(client("viewer")), client("admin")
    [member] = [
        item for item in (await admin.document(f"{team}/members"))["projectMembers"] if item["role"] == "viewer"
    ]
    assert (await viewer.post("credentials", KEY)).status == 403
    assert (await admin.put(f"{member['id']}?$select=role", {"role": "operator"})).status == 200
    assert (await viewer.post("credentials", KEY)).status == 201


async def test_members_of_a_project_that_others_share_are_not_remembered_for_those_who_do_not(client: Clients) -> None:
    """Two who act in the same project with the same role may have different other ones."""
    admin = client("admin")
    for name, members in (("one", ("operator", "other")), ("two", ("operator",))):
        url = (await admin.post("projects", {"name": name})).location
        for member in members:
            await admin.post(f"{url}/members", {"userName": member, "role": "operator"})
    in_one = [replace(client(user), project="one") for user in ("operator", "other")]
    for _ in range(3):
        assert [(await each.get(f"{url}/members")).status for each in in_one] == [200, 404]


async def test_the_live_stream_is_of_the_chosen_project(client: Clients, team: str) -> None:
    operator, admin = client("operator"), client("admin")
    async with listening(in_team(operator)) as stream:
        await operator.post("credentials", {"name": "at home", **KEY})
        await in_team(client("operator")).post("credentials", {"name": "in the team", **KEY})
        messages = await stream.until(lambda message: "in the team" in "".join(message.data))
        assert not [message for message in messages if "at home" in "".join(message.data)]
        for member in (await admin.document(f"{team}/members"))["projectMembers"]:
            await admin.delete(member["id"])
        with pytest.raises(EOFError):
            await stream.until(lambda _message: False)


@pytest.mark.usefixtures("team")
async def test_a_token_of_one_project_counts_in_no_other(client: Clients) -> None:
    operator = client("operator")
    team = (await operator.document("projects?$filter=name='team'"))["projects"][0]["id"]
    answer = await operator.post("tokens", {"project": {"href": team}})
    bearer = replace(operator, token=answer.json["token"])
    made = await bearer.post("credentials", KEY)
    assert (await in_team(operator).get(made.location)).status == 200
    assert [item["name"] for item in (await bearer.document("projects"))["projects"]] == ["team"]
    assert (await replace(bearer, project="operator").get("machines")).status == 403


async def test_a_project_goes_when_nothing_is_in_it(client: Clients, team: str) -> None:
    admin, operator = client("admin"), in_team(client("operator"))
    made = await operator.post("credentials", KEY)
    answer = await admin.delete(team)
    assert (answer.status, "1 Credential" in answer.message) == (409, True)
    await operator.delete(made.location)
    assert (await admin.delete(team)).status == 200
    assert (await operator.get("machines")).status == 403


async def test_a_project_of_an_earlier_name_is_another_one(client: Clients, team: str) -> None:
    admin = client("admin")
    assert (await admin.delete(team)).status == 200
    again = await admin.post("projects", {"name": "team"})
    assert again.location != team
    assert (await in_team(client("operator")).get("machines")).status == 403


async def test_a_user_who_is_made_again_inherits_nothing(client: Clients, gateway: Gateway, team: str) -> None:
    admin, operator = client("admin"), client("operator")
    made = await operator.post("credentials", KEY)
    token = (await operator.post("tokens", {})).json["token"]
    await remove(gateway, "operator")
    wish = {"name": "operator", "role": "operator", "password": "secret"}
    assert (await admin.post("users", wish)).status == 201
    assert (await operator.get(made.location)).status == 404
    assert (await operator.document("jobs"))["count"] == 0
    assert (await in_team(operator).get("machines")).status == 403
    assert (await replace(operator, token=token).get("machines")).status == 401


async def test_who_is_to_inherit_does(client: Clients, gateway: Gateway) -> None:
    made = await client("operator").post("credentials", KEY)
    await remove(gateway, "operator")
    wish = {"name": "operator", "role": "operator", "password": "secret", "inherits": True}
    assert (await client("admin").post("users", wish)).status == 201
    assert (await client("operator").get(made.location)).status == 200


async def test_of_two_who_make_one_name_at_once_one_does(admin: ApiClient) -> None:
    for wish in ({"name": "eve", "role": "viewer"}, {"name": "eves"}):
        collection = "users" if "role" in wish else "projects"
        statuses = await asyncio.gather(*(admin.post(collection, wish) for _ in range(2)))
        assert sorted(answer.status for answer in statuses) == [201, 409]


async def test_there_is_always_an_admin(client: Clients, admin: ApiClient) -> None:
    own = (await admin.document("users?$filter=name='admin'"))["users"][0]["id"]
    answers = [await admin.delete(own), await admin.put(f"{own}?$select=role", {"role": "viewer"})]
    assert [answer.status for answer in answers] == [409, 409]
    second = await admin.post("users", {"name": "root", "role": "admin", "password": "secret"})
    assert second.status == 201
    assert (await client("root").delete(own)).status == 200


async def test_a_user_changes_their_own_password_and_no_more(client: Clients) -> None:
    viewer = client("viewer")
    [own] = (await viewer.document("users"))["users"]
    assert (await viewer.put(f"{own['id']}?$select=role", {"role": "admin"})).status == 403
    assert (await viewer.put(f"{own['id']}?$select=name", {"name": "king"})).status == 409
    assert (await viewer.put(f"{own['id']}?$select=password", {"password": "another"})).status == 200
    assert (await viewer.get("")).status == 401
    assert (await replace(viewer, password="another").get("")).status == 200


async def test_one_key_is_another_one_in_another_project(client: Clients, team: str) -> None:
    operator = client("operator")
    answers = [await each.post("credentials", KEY, Idempotency_Key="k") for each in (operator, in_team(operator))]
    assert len({answer.location for answer in answers}) == 2
    assert [answer.status for answer in answers] == [201, 201]


async def test_an_event_names_who_did_it_in_the_project(client: Clients, team: str) -> None:
    operator, viewer = in_team(client("operator")), in_team(client("viewer"))
    await operator.post("credentials", KEY)
    events = (await viewer.document("eventLogs/changes/events"))["events"]
    contents = [event["content"] for event in events if "access" in event["type"]]
    about = [content for content in contents if "/credentials/" in content["resource"]["href"]]
    assert [content["initiator"] for content in about] == ["operator"]
