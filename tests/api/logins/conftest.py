"""Fixtures of the tests of logins: the cost of passwords, quick comparisons, early answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import bcrypt
import pytest

from gateway import config, users
from gateway.http import authentication, login_limits
from tests.api.logins.guesses import Comparisons


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
