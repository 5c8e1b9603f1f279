"""Floods of logins: they delay nobody, and keep nobody out."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import bcrypt
import pytest

from gateway.http.password_threads import THREADS
from tests.api.client import Answer, ApiClient
from tests.api.images.transfers import RAW, operation, put
from tests.api.images.transfers import waiting as waiting_for_bytes
from tests.api.logins.guesses import PATIENCE, Client, Comparisons, guess, return_code
from tests.patience import eventually

pytestmark = pytest.mark.slow

NEW_CREDENTIAL = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}
CONFIGURATION = {"name": "small", "cpu": 1, "memory": 65536}


async def flood(admin: ApiClient, numbers: Iterator[int], *, everywhere: bool) -> None:
    """One connection that logs in with made-up names, one after the other, from one address or from ever new ones."""
    async with aiohttp.ClientSession() as session:
        for number in numbers:
            address = {"X_Forwarded_For": f"198.51.{number // 256 % 256}.{number % 256}"} if everywhere else {}
            with suppress(aiohttp.ClientError):
                await ApiClient(session, admin.base, f"made-up-{number}", password="x").get("machines", **address)


@asynccontextmanager
async def flooded(admin: ApiClient, *, everywhere: bool) -> AsyncIterator[None]:
    """Thirty connections at once."""
    numbers = itertools.count()
    connections = [asyncio.create_task(flood(admin, numbers, everywhere=everywhere)) for _ in range(30)]
    try:
        yield
    finally:
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The passwords that were compared, at the full cost of a comparison; each when it is over."""
    over: list[bytes] = []
    compare = bcrypt.checkpw

    def counted(password: bytes, hashed: bytes) -> bool:
        try:
            return compare(password, hashed)
        finally:
            over.append(password)

    monkeypatch.setattr(bcrypt, "checkpw", counted)
    return over


async def test_a_flood_of_thirty_connections_with_made_up_names_delays_nobodys_write(
    admin: ApiClient, compared: list[bytes]
) -> None:
    """By a single comparison: no more end while one is written than were under way when it began.

    That counts comparisons and no seconds, as a busy machine is slow at both. The median of several writes is taken,
    since one of them may be kept waiting by others.
    """
    assert (await admin.post("machineConfigs", CONFIGURATION)).status == 201
    meanwhile = []
    async with flooded(admin, everywhere=True):
        before = len(compared)
        await eventually(lambda: len(compared) > before, "the flood's passwords are compared")
        for _ in range(9):
            began = len(compared)
            answer = await admin.post("machineConfigs", CONFIGURATION)
            assert answer.status == 201, answer.text
            meanwhile.append(len(compared) - began)
        after = len(compared)
        await eventually(lambda: len(compared) > after, "they still are at the end")
    assert sorted(meanwhile)[len(meanwhile) // 2] <= THREADS, meanwhile


async def test_who_has_never_logged_in_gets_in_behind_the_address_of_a_flood(admin: ApiClient, client: Client) -> None:
    assert (await admin.get("machines")).status == 200
    answers: list[Answer] = []

    async def got_in() -> bool:
        answers.append(await client("operator").post("credentials", NEW_CREDENTIAL))
        return answers[-1].status == 201

    async with flooded(admin, everywhere=False):
        await eventually(got_in, "the first login of a user")
    assert {answer.status for answer in answers} <= {201, 429}


async def test_what_clients_send_is_written_while_no_password_can_be_compared(
    admin: ApiClient, comparisons: Comparisons
) -> None:
    href = operation(await waiting_for_bytes(admin), "upload")
    assert href is not None
    comparisons.may_go_on.clear()
    waiting = [
        asyncio.create_task(guess(admin, f"name{number}").get("machines", X_Forwarded_For=f"192.0.2.{number}"))
        for number in range(60)
    ]
    try:
        async with asyncio.timeout(PATIENCE / 2):
            while comparisons.number == 0:
                await asyncio.sleep(0.01)
            assert (await put(admin, href, RAW)).status in (200, 201, 202)
    finally:
        comparisons.may_go_on.set()
        await asyncio.gather(*waiting)


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_beyond_a_bounded_queue_logins_are_refused_and_told_when_to_come_again(
    admin: ApiClient, comparisons: Comparisons, media: str
) -> None:
    comparisons.may_go_on.clear()
    waiting = [
        asyncio.create_task(
            guess(admin, f"name{number}", media=media).get("machines", X_Forwarded_For=f"192.0.2.{number}")
        )
        for number in range(60)
    ]
    try:
        done, _ = await asyncio.wait(waiting, timeout=PATIENCE / 2, return_when=asyncio.FIRST_COMPLETED)
        answer = next(iter(done)).result()
        assert answer.status == 429
        assert return_code(answer, media) == 10429
        assert int(answer.headers["retry-after"]) > 0
    finally:
        comparisons.may_go_on.set()
        answers = await asyncio.gather(*waiting)
    assert sum(answer.status == 401 for answer in answers) >= 30
