"""Guesses at passwords: few are tried, and users get in behind the address of who guesses."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.http import authentication, login_limits
from tests.api.client import ApiClient
from tests.api.logins.guesses import Client, Comparisons, guess, return_code

pytestmark = pytest.mark.slow


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
