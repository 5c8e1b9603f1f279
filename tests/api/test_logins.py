"""Logins under attack: guesses are few, floods delay nobody, and users get in behind the address of an attacker."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import bcrypt
import pytest

from gateway import config, users
from gateway.http import authentication, login_limits
from gateway.http.password_threads import THREADS
from tests.api.client import Answer, ApiClient
from tests.api.event_logs import everything, of_type
from tests.api.images.transfers import RAW, operation, put
from tests.api.images.transfers import waiting as waiting_for_bytes
from tests.api.namespaces import NAMESPACE
from tests.patience import eventually

Client = Callable[..., ApiClient]
PATIENCE = 60.0
NEW_CREDENTIAL = {"credentialTemplate": {"userName": "ops", "password": "hunter2"}}
CONFIGURATION = {"name": "small", "cpu": 1, "memory": 65536}


@cache
def costly() -> str:
    """The hash of the password at the cost that users have."""
    return users.hashed("secret")


@pytest.fixture
def settings(settings: config.Settings) -> config.Settings:
    """Passwords at that cost, and a proxy on this host that is believed."""
    path, hashed = Path(settings.auth.users_file), costly()
    users.write(path, {name: replace(user, hash=hashed) for name, user in users.read(path).items()})
    return replace(settings, server=replace(settings.server, trusted_proxies=["127.0.0.1/32"]))


class Comparisons:
    """How many passwords were compared; while ``held``, none is answered."""

    def __init__(self) -> None:
        self.number = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.number += 1
        self.may_go_on.wait(PATIENCE)
        return password == b"secret" and b"." * 53 not in hashed


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> Iterator[Comparisons]:
    """Quick ones, which are counted."""
    counted = Comparisons()
    monkeypatch.setattr(bcrypt, "checkpw", counted)
    yield counted
    counted.may_go_on.set()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quiet attempts are answered soon."""
    monkeypatch.setattr(authentication, "QUIET_SECONDS", 0.2)
    monkeypatch.setattr(login_limits, "GUESS_EVERY", 0.2)


def guess(admin: ApiClient, name: str, password: str = "guessed", media: str = "json") -> ApiClient:
    return ApiClient(admin.session, admin.base, name, media, password)


def return_code(answer: Answer, media: str) -> int:
    if media == "json":
        return int(answer.json["returnCode"])
    return int(ElementTree.fromstring(answer.text).findtext(f"{NAMESPACE}returnCode") or 0)


# How many guesses there are


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.usefixtures("soon")
async def test_of_sixty_wrong_passwords_at_once_at_most_ten_are_tried(
    admin: ApiClient, comparisons: Comparisons, media: str
) -> None:
    guesses = [guess(admin, "operator", f"guess {number}", media) for number in range(60)]
    answers = await asyncio.gather(*(stranger.get("machines") for stranger in guesses))
    assert comparisons.number <= 10
    assert {answer.status for answer in answers} <= {401, 429}
    refused = [answer for answer in answers if answer.status == 429]
    assert len(refused) >= 50
    assert {return_code(answer, media) for answer in refused} == {10429}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)


@pytest.mark.usefixtures("soon")
async def test_the_same_wrong_password_sixty_times_at_once_is_tried_at_most_ten_times(
    admin: ApiClient, comparisons: Comparisons
) -> None:
    answers = await asyncio.gather(*(guess(admin, "operator").get("machines") for _ in range(60)))
    assert comparisons.number <= 10
    assert sum(answer.status == 401 for answer in answers) <= 10


@pytest.mark.usefixtures("soon")
async def test_an_address_has_thirty_guesses_a_minute_whatever_the_names(
    admin: ApiClient, comparisons: Comparisons
) -> None:
    statuses = [(await guess(admin, f"name{number}").get("machines")).status for number in range(40)]
    assert comparisons.number == 30
    assert statuses == [401] * 30 + [429] * 10


@pytest.mark.usefixtures("soon")
async def test_a_name_has_a_hundred_guesses_a_minute_from_all_addresses_together(
    admin: ApiClient, comparisons: Comparisons
) -> None:
    stranger = guess(admin, "operator")
    for number in range(110):
        answer = await stranger.get("machines", X_Forwarded_For=f"198.51.100.{number}")
    assert comparisons.number == 100
    assert answer.status == 429


@pytest.mark.usefixtures("soon")
async def test_addresses_of_one_ipv6_network_are_counted_as_one(admin: ApiClient, comparisons: Comparisons) -> None:
    stranger = guess(admin, "operator")
    for number in range(12):
        answer = await stranger.get("machines", X_Forwarded_For=f"2001:db8::{number:x}")
    assert comparisons.number == 10
    assert answer.status == 429


async def test_right_passwords_on_many_connections_at_once_cost_one_comparison_and_no_attempt(
    admin: ApiClient, client: Client, comparisons: Comparisons
) -> None:
    answers = await asyncio.gather(*(client("operator").get("machines") for _ in range(60)))
    assert {answer.status for answer in answers} == {200}
    assert comparisons.number == 1


# Who gets in nevertheless


@pytest.mark.usefixtures("soon")
async def test_who_is_remembered_gets_in_while_their_address_guesses_their_password(
    admin: ApiClient, client: Client, comparisons: Comparisons
) -> None:
    assert (await client("operator").get("machines")).status == 200
    statuses = [(await guess(admin, "operator", f"guess {number}").get("machines")).status for number in range(12)]
    assert statuses[-1] == 429
    assert (await client("operator").get("machines")).status == 200


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.usefixtures("soon", "comparisons")
async def test_who_logged_in_from_an_address_gets_in_there_after_any_number_of_wrong_passwords(
    admin: ApiClient, client: Client, monkeypatch: pytest.MonkeyPatch, media: str
) -> None:
    assert (await client("operator").get("machines")).status == 200
    monkeypatch.setattr(authentication, "REMEMBERED_SECONDS", 0.0)
    for number in range(20):
        answer = await guess(admin, "operator", f"guess {number}").get("machines")
    assert answer.status == 429
    assert (await client("operator", media).get("machines")).status == 200


@pytest.mark.usefixtures("soon")
async def test_of_many_wrong_passwords_at_once_few_are_tried_where_the_user_has_logged_in(
    admin: ApiClient, client: Client, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client("operator").get("machines")).status == 200
    monkeypatch.setattr(login_limits, "GUESS_EVERY", 3600.0)
    guesses = [guess(admin, "operator", f"guess {number}") for number in range(60)]
    answers = await asyncio.gather(*(stranger.get("machines") for stranger in guesses))
    assert comparisons.number <= 1 + 10 + 1
    assert sum(answer.status == 401 for answer in answers) <= 10


@pytest.mark.usefixtures("comparisons")
async def test_beyond_its_limit_a_name_is_answered_alike_whether_or_not_its_user_has_logged_in(
    admin: ApiClient, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "QUIET_SECONDS", 1.0)
    assert (await client("operator").get("machines")).status == 200
    told = []
    for name in ("operator", "nobody"):
        for number in range(10):
            await guess(admin, name, f"guess {number}").get("machines")
        began = time.monotonic()
        answer = await guess(admin, name).get("machines")
        assert time.monotonic() - began >= 0.9
        told.append((answer.status, answer.message))
    assert told[0] == told[1]
    assert told[0][0] == 429


@pytest.mark.usefixtures("soon", "comparisons")
async def test_who_never_logged_in_gets_in_behind_an_address_that_has_no_guesses_left(
    admin: ApiClient, client: Client
) -> None:
    for number in range(31):
        answer = await guess(admin, f"name{number}").get("machines")
    assert answer.status == 429
    assert (await client("operator").get("machines")).status == 200


@pytest.mark.usefixtures("soon", "comparisons")
async def test_who_logged_in_from_an_address_gets_in_there_while_the_name_has_no_guesses_left(
    admin: ApiClient, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await client("operator").get("machines", X_Forwarded_For="192.0.2.1")).status == 200
    monkeypatch.setattr(authentication, "REMEMBERED_SECONDS", 0.0)
    for number in range(101):
        answer = await guess(admin, "operator").get("machines", X_Forwarded_For=f"198.51.100.{number}")
    assert answer.status == 429
    assert (await client("operator").get("machines", X_Forwarded_For="192.0.2.1")).status == 200


@pytest.mark.usefixtures("soon", "comparisons")
async def test_an_address_without_guesses_does_not_learn_which_names_there_are(admin: ApiClient) -> None:
    for number in range(30):
        await guess(admin, f"name{number}").get("machines")
    real, made_up = [await guess(admin, name).get("machines") for name in ("operator", "nobody")]
    assert (real.status, made_up.status) == (429, 429)
    assert real.message == made_up.message
    assert real.headers["retry-after"] == made_up.headers["retry-after"]


@pytest.mark.parametrize("name", ["operator", "nobody"])
async def test_of_a_login_that_is_sent_twice_at_once_neither_is_refused_later_than_a_single_one(
    admin: ApiClient, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(authentication, "QUIET_SECONDS", 0.1)
    for number in range(30):
        await guess(admin, f"name{number}").get("machines")
    monkeypatch.setattr(authentication, "QUIET_SECONDS", 2.0)
    comparisons.may_go_on.clear()
    began = time.monotonic()
    answers = await asyncio.gather(*(guess(admin, name).get("machines") for _ in range(3)))
    assert 1.9 <= time.monotonic() - began < 3.5
    assert {answer.status for answer in answers} == {429}


async def test_who_waits_for_a_comparison_that_is_told_waits_to_its_end(
    admin: ApiClient, client: Client, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "QUIET_SECONDS", 0.1)
    comparisons.may_go_on.clear()
    waiting = [asyncio.create_task(client("operator").get("machines")) for _ in range(2)]
    # Others are refused at the end of QUIET_SECONDS; these are not.
    done, _ = await asyncio.wait(waiting, timeout=0.5)
    assert not done
    comparisons.may_go_on.set()
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200]
    assert comparisons.number == 1


async def test_remembering_is_refreshed_by_use(
    client: Client, comparisons: Comparisons, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [time.monotonic()]

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(authentication, "time", Clock)
    for _ in range(5):
        assert (await client("operator").get("machines")).status == 200
        now[0] += 200.0
    assert comparisons.number == 1


# Nobody waits for the flood


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


# The metrics take the same way


def metrics_of(admin: ApiClient) -> str:
    return admin.base.removesuffix("cimi/") + "metrics"


@pytest.mark.usefixtures("soon")
async def test_guesses_at_the_metrics_are_counted_with_all_others(admin: ApiClient, comparisons: Comparisons) -> None:
    for _ in range(5):
        assert (await guess(admin, "operator").get(metrics_of(admin))).status == 401
        await guess(admin, "operator").get("machines")
    assert comparisons.number == 10
    assert (await guess(admin, "operator").get(metrics_of(admin))).status == 429


@pytest.mark.usefixtures("comparisons")
async def test_a_wrong_password_at_the_metrics_is_told_with_the_address_that_the_proxy_says(
    admin: ApiClient,
) -> None:
    await guess(admin, "operator").get(metrics_of(admin), X_Forwarded_For="192.0.2.77")
    [told] = of_type(await everything(admin), "access")
    assert told["content"]["initiator"] == "operator"
    assert "from 192.0.2.77" in told["content"]["detail"]


@pytest.mark.usefixtures("comparisons", "soon")
async def test_guesses_at_the_metrics_are_counted_by_the_address_that_the_proxy_says(admin: ApiClient) -> None:
    for number in range(12):
        answer = await guess(admin, "operator").get(metrics_of(admin), X_Forwarded_For=f"192.0.2.{number}")
    assert answer.status == 401


# What is counted


@pytest.mark.usefixtures("soon")
async def test_the_metrics_tell_how_logins_went(admin: ApiClient, comparisons: Comparisons) -> None:
    for number in range(12):
        await guess(admin, "operator", f"guess {number}").get("machines")
    for header in ("Bearer x", "Basic !", "Basic eA=="):
        assert (await guess(admin, "").get("machines", Authorization=header)).status == 401
    text = (await admin.get(metrics_of(admin))).text
    for outcome, number in (("wrong", 10), ("throttled", 2), ("malformed", 3), ("right", 1)):
        assert f'cimi_logins_total{{outcome="{outcome}"}} {number}.0' in text
