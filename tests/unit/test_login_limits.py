"""How attempts to log in are counted, by an injected clock."""

from __future__ import annotations

import pytest

from gateway.addresses import source_of
from gateway.errors import TooManyRequests
from gateway.http.login_limits import (
    GUESS_EVERY,
    MOST_AT_ONCE,
    MOST_KEPT,
    MOST_OF_ADDRESS,
    MOST_OF_NAME,
    MOST_OF_PAIR,
    PAUSE,
    Attempts,
    LoginLimits,
)

HERE, THERE = "192.0.2.1", "192.0.2.2"


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def limits(hand: Hand) -> LoginLimits:
    return LoginLimits(hand)


def fail(limits: LoginLimits, name: str, address: str = HERE) -> bool:
    """One wrong password; whether it was a quiet one."""
    attempt = limits.begin(address, name)
    limits.end(attempt)
    return attempt.quiet


def exhaust(limits: LoginLimits, name: str, address: str = HERE) -> None:
    for _ in range(MOST_OF_PAIR):
        fail(limits, name, address)


def test_after_ten_attempts_comes_a_pause_of_a_minute(limits: LoginLimits, hand: Hand) -> None:
    exhaust(limits, "ann")
    with pytest.raises(TooManyRequests) as refused:
        limits.begin(HERE, "ann")
    assert refused.value.retry_after == PAUSE
    hand.now += PAUSE
    assert fail(limits, "ann") is False


def test_attempts_during_the_pause_do_not_make_it_longer(limits: LoginLimits, hand: Hand) -> None:
    exhaust(limits, "ann")
    hand.now += PAUSE - 1
    with pytest.raises(TooManyRequests) as refused:
        limits.begin(HERE, "ann")
    assert refused.value.retry_after == 1


def test_attempts_that_have_not_ended_are_counted(limits: LoginLimits) -> None:
    for _ in range(MOST_OF_PAIR):
        limits.begin(HERE, "ann")
    with pytest.raises(TooManyRequests):
        limits.begin(HERE, "ann")


def test_what_was_not_compared_is_taken_back(limits: LoginLimits) -> None:
    for _ in range(MOST_OF_PAIR * 3):
        attempt = limits.begin(HERE, "ann")
        limits.take_back(attempt)
        limits.end(attempt)


def test_a_right_password_forgives_the_users_mistakes(limits: LoginLimits) -> None:
    for _ in range(5):
        for _ in range(MOST_OF_PAIR - 1):
            fail(limits, "ann")
        attempt = limits.begin(HERE, "ann")
        limits.succeeded(attempt)
        limits.end(attempt)


def test_an_own_login_gives_an_address_no_more_guesses_of_other_names(limits: LoginLimits) -> None:
    for number in range(MOST_OF_ADDRESS):
        fail(limits, f"name{number}")
    attempt = limits.begin(HERE, "mallory")
    limits.succeeded(attempt)
    limits.end(attempt)
    assert fail(limits, "another") is True


def test_beyond_its_limit_an_address_goes_on_quietly_and_others_do_not(limits: LoginLimits) -> None:
    quiet = [fail(limits, f"name{number}") for number in range(MOST_OF_ADDRESS + 1)]
    assert quiet == [False] * MOST_OF_ADDRESS + [True]
    assert fail(limits, "ann", THERE) is False


def test_an_address_with_comparisons_under_way_goes_on_quietly(limits: LoginLimits) -> None:
    under_way = [limits.begin(HERE, f"name{number}") for number in range(MOST_AT_ONCE)]
    assert fail(limits, "ann") is True
    limits.end(under_way[0])
    assert fail(limits, "ann") is False


def test_quiet_attempts_of_names_that_exist_are_bounded_too(limits: LoginLimits) -> None:
    for number in range(MOST_OF_ADDRESS):
        fail(limits, f"name{number}")
    attempt = limits.begin(HERE, "ann")
    assert [limits.take_quietly(attempt) for _ in range(MOST_OF_ADDRESS + 1)] == [True] * MOST_OF_ADDRESS + [False]


def known(limits: LoginLimits, name: str, address: str = HERE) -> None:
    attempt = limits.begin(address, name)
    limits.succeeded(attempt)
    limits.end(attempt)


def test_beyond_its_limit_a_pair_goes_on_quietly_where_its_user_has_logged_in(limits: LoginLimits) -> None:
    known(limits, "ann")
    exhaust(limits, "ann")
    exhaust(limits, "ben")
    assert fail(limits, "ann") is True
    with pytest.raises(TooManyRequests):
        limits.begin(HERE, "ben")


def test_beyond_the_limit_of_pairs_an_address_has_a_turn_every_two_seconds(limits: LoginLimits, hand: Hand) -> None:
    for name in ("ann", "ben"):
        known(limits, name)
        exhaust(limits, name)
    attempts = [limits.begin(HERE, name) for name in ("ann", "ben", "ann")]
    assert [limits.turn(attempt, GUESS_EVERY) for attempt in attempts] == [0.0, GUESS_EVERY, None]
    hand.now += GUESS_EVERY
    assert limits.turn(attempts[2], GUESS_EVERY) == GUESS_EVERY


def test_a_right_password_beyond_the_limit_of_the_pair_forgives_its_mistakes(limits: LoginLimits) -> None:
    known(limits, "ann")
    exhaust(limits, "ann")
    known(limits, "ann")
    assert fail(limits, "ann") is False


def test_a_name_is_limited_over_all_addresses_but_where_its_user_logs_in(limits: LoginLimits) -> None:
    home = limits.begin(THERE, "ann")
    limits.succeeded(home)
    limits.end(home)
    for number in range(MOST_OF_NAME):
        fail(limits, "ann", f"198.51.100.{number}")
    with pytest.raises(TooManyRequests):
        limits.begin(HERE, "ann")
    assert limits.begin(THERE, "ann").trusted is True


def test_what_is_kept_is_bounded() -> None:
    attempts = Attempts(1)
    for number in range(MOST_KEPT + 100):
        attempts.take(number)
    assert len(attempts._counts) == MOST_KEPT


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::9]:4711", "2001:db8:1:2::/64"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_an_address_is_one_of_ipv4_or_a_network_of_ipv6(address: str, source: str) -> None:
    assert source_of(address) == source
