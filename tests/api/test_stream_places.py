"""No user takes the places of others at the event stream, and an admin always gets one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.config import EventSettings
from tests.api.client import Answer, ApiClient
from tests.api.namespaces import NAMESPACE
from tests.api.streams import listening

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]
OF_USER, IN_ALL = 3, 5
PATIENCE = 60.0


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    return replace(settings, events=EventSettings(most_streams=IN_ALL, most_streams_per_user=OF_USER))


def return_code(answer: Answer, media: str) -> int:
    if media == "json":
        return int(answer.json["returnCode"])
    return int(answer.xml.findtext(f"{NAMESPACE}returnCode") or 0)


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("user", ["viewer", "operator", "admin"])
async def test_a_user_has_a_bounded_number_of_readers(client: Client, user: str, media: str) -> None:
    async with AsyncExitStack() as readers:
        for _ in range(OF_USER):
            await readers.enter_async_context(listening(client(user)))
        answer = await client(user, media).get(f"eventStream?$format={media}")
        assert (answer.status, return_code(answer, media)) == (429, 10429)
        assert int(answer.headers["retry-after"]) > 0
        assert (await client(user).get("machines")).status == 200


async def test_many_readers_that_come_at_once_are_bounded_too(client: Client, gateway: Gateway) -> None:
    async with AsyncExitStack() as readers:
        asked = [readers.enter_async_context(listening(client("viewer"))) for _ in range(20)]
        await asyncio.gather(*asked, return_exceptions=True)
        assert gateway.stream.readers == OF_USER


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_when_all_places_are_taken_users_are_told_to_come_later_and_an_admin_gets_one(
    client: Client, media: str
) -> None:
    async with AsyncExitStack() as readers:
        for user in ("viewer",) * OF_USER + ("operator",) * (IN_ALL - OF_USER):
            await readers.enter_async_context(listening(client(user)))
        answer = await client("other", media).get(f"eventStream?$format={media}")
        assert (answer.status, return_code(answer, media)) == (503, 10503)
        assert int(answer.headers["retry-after"]) > 0
        await readers.enter_async_context(listening(client("admin")))
        assert (await client("admin").get("eventStream")).status == 503


async def test_the_place_of_a_reader_who_left_is_free_again(client: Client, gateway: Gateway) -> None:
    async with AsyncExitStack() as readers:
        for _ in range(OF_USER):
            await readers.enter_async_context(listening(client("viewer")))
    async with asyncio.timeout(PATIENCE):
        while gateway.stream.readers > 0:
            await asyncio.sleep(0.01)
    async with listening(client("viewer")):
        assert gateway.stream.readers == 1
