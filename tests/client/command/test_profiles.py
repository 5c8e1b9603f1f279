"""Profiles: who logs in once, and the file that it is kept in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.api.in_memory_gateway import PASSWORD
from tests.client.command.ran import Cimi


@pytest.fixture
def config(cimi: Cimi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of profiles, of somebody whose environment names no provider."""
    for name in ("CIMI_URL", "CIMI_USER", "CIMI_PASSWORD"):
        monkeypatch.delenv(name)
    return tmp_path / "config" / "cimi" / "config.toml"


def test_who_has_logged_in_needs_to_say_nothing_more(cimi: Cimi, config: Path, url: str) -> None:
    ran = cimi("login", url, "--user", "admin", "--password-stdin", "--name", "lab", stdin=PASSWORD + "\n")
    assert ran.code == 0, ran.err
    assert cimi("list").code == 0
    assert cimi("profile", "list", "-o", "json").json == [{"name": "lab", "url": url, "user": "admin", "default": True}]


def test_the_file_of_profiles_is_for_its_owner_alone(cimi: Cimi, config: Path, url: str) -> None:
    cimi("login", url, "--user", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
    assert [path.name for path in config.parent.iterdir()] == ["config.toml"]


def test_a_wrong_password_is_not_kept(cimi: Cimi, config: Path, url: str) -> None:
    ran = cimi("login", url, "--user", "admin", "--password-stdin", stdin="wrong\n")
    assert ran.code == 4
    assert "password is wrong" in ran.err
    assert not config.exists()


def test_one_of_several_profiles_is_chosen(cimi: Cimi, config: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, user in (("first", "admin"), ("second", "viewer")):
        cimi("login", url, "--user", user, "--password-stdin", "--name", name, stdin=PASSWORD + "\n")
    assert cimi("--profile", "first", "post", "machineConfigs", "-d", "{}").code == 4
    assert "cpu" in cimi("--profile", "first", "post", "machineConfigs", "-d", "{}").err
    assert "viewer" in cimi("post", "machineConfigs", "-d", "{}").err
    cimi("profile", "use", "first")
    assert "cpu" in cimi("post", "machineConfigs", "-d", "{}").err
    monkeypatch.setenv("CIMI_PROFILE", "second")
    assert "viewer" in cimi("post", "machineConfigs", "-d", "{}").err
    assert cimi("list", "--profile", "third").code == 1


def test_a_profile_is_forgotten(cimi: Cimi, config: Path, url: str) -> None:
    cimi("login", url, "--user", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    assert cimi("logout").code == 0
    assert PASSWORD not in config.read_text()
    assert cimi("list").code == 2
    assert cimi("logout").code == 1


def test_without_a_provider_it_is_said_what_to_do(cimi: Cimi, config: Path) -> None:
    ran = cimi("list")
    assert ran.code == 2
    assert "cimi login https://host/cimi/" in ran.err


def test_names_and_passwords_of_all_kinds_are_kept_as_they_are(config: Path) -> None:
    from cimi_command.profiles import Profile, Profiles

    odd = 'a "quoted" \\ name\n\x7f Grüße 世界 🦔'
    Profiles("x", {odd: Profile("https://h/", odd, odd, insecure=True)}).write()
    assert Profiles.read() == Profiles("x", {odd: Profile("https://h/", odd, odd, insecure=True)})


@pytest.mark.parametrize("text", ["default =", 'profiles = "x"', "[profiles.a]\nuser = 'x'"])
def test_a_broken_file_is_named(cimi: Cimi, config: Path, text: str) -> None:
    config.parent.mkdir(parents=True)
    config.write_text(text)
    ran = cimi("list")
    assert ran.code == 1
    assert str(config) in ran.err
