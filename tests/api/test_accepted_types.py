"""What gives bytes is negotiated by what it gives: every such action of the declarations, and the description."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.cimi.registry import TYPES
from gateway.cimi.resource_type import JSON, Action
from tests.api.client import ACTION, ApiClient
from tests.api.world import World

pytestmark = pytest.mark.slow

GIVING = [
    pytest.param(kind, action, id=f"{kind}-{action.verb}")
    for kind, declared in TYPES.items()
    for action in declared.actions
    if action.gives != JSON
]
"""All actions that give other than documents."""


def wider(media: str) -> str:
    """Return the range of media types that one belongs to."""
    return f"{media.partition('/')[0]}/*"


async def url(world: World, kind: str, action: Action) -> str:
    await world.ensure(kind)
    if World.key(kind, action.verb) == f"exported {kind}":
        await world.exported()
    return f"{world.paths[World.key(kind, action.verb)]}/{action.verb}"


@pytest.fixture(params=["GET", "HEAD"])
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_are_such_actions() -> None:
    assert {getattr(param.values[1], "verb", None) for param in GIVING} == {"console", "download", "package"}


@pytest.mark.parametrize(("kind", "action"), GIVING)
async def test_the_very_type_that_an_action_gives_is_acceptable(
    world: World, kind: str, action: Action, method: str
) -> None:
    path = await url(world, kind, action)
    for accepted in (action.gives, action.gives.upper(), f"{action.gives}; q=0.3", wider(action.gives), "*/*"):
        answer = await world.owner.request(method, path, Accept=accepted)
        assert answer.status == 200, (accepted, answer.text)
        assert answer.headers["content-type"].partition(";")[0] == action.gives


@pytest.mark.parametrize(("kind", "action"), GIVING)
async def test_who_takes_documents_gets_the_bytes(world: World, kind: str, action: Action, method: str) -> None:
    path = await url(world, kind, action)
    for accepted in ("application/json", "application/xml", "text/html, application/json;q=0.1"):
        answer = await world.owner.request(method, path, Accept=accepted)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, action.gives)


@pytest.mark.parametrize(("kind", "action"), GIVING)
async def test_a_type_that_an_action_does_not_give_is_refused_with_the_one_it_gives(
    world: World, kind: str, action: Action
) -> None:
    path = await url(world, kind, action)
    for accepted in ("image/png", f"{action.gives};q=0", "text/csv, video/*"):
        answer = await world.owner.get(path, Accept=accepted)
        assert answer.status == 406, (accepted, answer.text)
        assert action.gives in answer.message


@pytest.mark.parametrize("accepted", ["text/plain", "text/*"])
async def test_the_console_is_also_given_to_who_posts_for_it(world: World, accepted: str) -> None:
    machine = await world.ensure("Machine")
    body = {"action": ACTION + "console"}
    for target in (machine, f"{machine}/console"):
        answer = await world.owner.post(target, body, Accept=accepted)
        assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "text/plain")


async def test_an_error_of_such_a_request_is_a_document(world: World) -> None:
    machine = await world.ensure("Machine")
    answer = await world.owner.get(f"{machine}x/console", Accept="text/plain")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (404, JSON)
    answer = await world.owner.get(f"{machine}x/console", Accept="text/plain, application/xml;q=0.1")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (404, "application/xml")


@pytest.mark.parametrize("accepted", [JSON, "application/*", "*/*", "application/xml", "text/html, */*;q=0.1"])
async def test_the_description_is_given_to_who_takes_json_or_documents(admin: ApiClient, accepted: str) -> None:
    answer = await admin.get("openapi", Accept=accepted)
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, JSON)


async def test_the_description_is_no_plain_text(admin: ApiClient) -> None:
    assert (await admin.get("openapi", Accept="text/plain")).status == 406


@pytest.mark.parametrize("path", ["", "machines", "jobs"])
async def test_documents_are_json_or_xml_and_nothing_else(client: Callable[..., ApiClient], path: str) -> None:
    for accepted in ("text/plain", "application/octet-stream", "application/ovf"):
        answer = await client("admin").get(path, Accept=accepted)
        assert answer.status == 406
        assert "application/json and application/xml can be had" in answer.message


async def test_what_an_action_gives_is_no_way_to_read_its_resource(world: World) -> None:
    assert (await world.owner.get(await world.ensure("Machine"), Accept="text/plain")).status == 406
