"""The command line, as an admin uses it."""

from __future__ import annotations

import os
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.unit.configurations import HYPERVISOR


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text('[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n' + HYPERVISOR)
    return path


def run(*arguments: str, config: Path, stdin: str = "") -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config)], input=stdin)


def test_check_says_valid(config: Path) -> None:
    assert run("check", config=config).output == f"{config}: valid\n"


def test_check_names_the_mistake_and_fails(config: Path) -> None:
    config.write_text("[sever]\n")
    result = run("check", config=config)
    assert result.exit_code == 78
    assert "[sever]" in result.output


def test_a_user_is_added_with_a_hashed_password_from_standard_input(config: Path) -> None:
    assert run("user", "add", "ann", "--role", "operator", config=config, stdin="secret\n").exit_code == 0
    name, role, hashed = (config.parent / "users").read_text().strip().split(":")
    assert (name, role) == ("ann", "operator")
    assert bcrypt.checkpw(b"secret", hashed.encode())
    assert (config.parent / "users").stat().st_mode & 0o777 == 0o600


def test_users_are_listed_changed_and_removed(config: Path) -> None:
    run("user", "add", "ann", "--role", "viewer", config=config, stdin="a\n")
    assert run("user", "list", config=config).output == "ann\tviewer\n"
    assert run("user", "passwd", "ann", config=config, stdin="b\n").exit_code == 0
    assert run("user", "remove", "ann", config=config).exit_code == 0
    assert run("user", "list", config=config).output == ""


@pytest.mark.parametrize(
    ("arguments", "stdin", "named"),
    [
        (("user", "add", "a:b", "--role", "admin"), "x\n", "no user name"),
        (("user", "add", "ann", "--role", "admin"), "\n", "password"),
        (("user", "add", "ann", "--role", "admin"), "x" * 80 + "\n", "72"),
        (("user", "remove", "nobody"), "", "there is no user"),
        (("jobs", "list"), "", "has not run yet"),
    ],
)
def test_mistakes_are_one_line_and_a_failure(config: Path, arguments: tuple[str, ...], stdin: str, named: str) -> None:
    result = run(*arguments, config=config, stdin=stdin)
    assert result.exit_code == 1
    assert named in result.output
    assert "Traceback" not in result.output


def test_a_user_is_not_added_twice(config: Path) -> None:
    run("user", "add", "ann", "--role", "viewer", config=config, stdin="a\n")
    assert "exists already" in run("user", "add", "ann", "--role", "admin", config=config, stdin="b\n").output


def test_a_changed_users_file_keeps_its_owner_and_mode(config: Path) -> None:
    run("user", "add", "ann", "--role", "viewer", config=config, stdin="a\n")
    path = config.parent / "users"
    path.chmod(0o640)
    os.chown(path, -1, 4242)
    assert run("user", "passwd", "ann", config=config, stdin="b\n").exit_code == 0
    assert (path.stat().st_mode & 0o777, path.stat().st_gid) == (0o640, 4242)


def test_the_first_user_that_root_adds_can_be_read_by_the_gateways_group(config: Path) -> None:
    os.chown(config.parent, -1, 4242)
    assert run("user", "add", "ann", "--role", "admin", config=config, stdin="a\n").exit_code == 0
    made = (config.parent / "users").stat()
    assert (made.st_mode & 0o777, made.st_gid) == (0o640, 4242)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"ann:admin\n", b"ann:king:hash\n", b"a b:admin:hash\n"])
def test_a_broken_users_file_is_named_and_left_alone(config: Path, content: bytes) -> None:
    path = config.parent / "users"
    path.write_bytes(content)
    result = run("user", "add", "bob", "--role", "admin", config=config, stdin="a\n")
    assert result.exit_code == 1
    assert str(path) in result.output
    assert path.read_bytes() == content


def test_every_subcommand_takes_a_configuration(config: Path) -> None:
    for words in (("serve",), ("check",), ("doctor",), ("jobs", "list"), ("jobs", "show"), ("jobs", "tail"),
                  ("user", "add"), ("user", "passwd"), ("user", "remove"), ("user", "list")):  # fmt: skip
        assert "--config" in CliRunner().invoke(main, [*words, "--help"]).output, words
