"""The exit status by which systemd tells a wrong configuration (78, EX_CONFIG), which no restart mends."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.source import ROOT
from tests.unit.configurations import HYPERVISOR

pytestmark = pytest.mark.slow

EX_CONFIG = 78
NOBODY = 65534
PLAIN = '[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n' + HYPERVISOR
TLS = '[server]\nlisten = "127.0.0.1:1"\ntls_certificate = "tls.crt"\ntls_key = "tls.key"\n' + PLAIN


def make_pair(directory: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
         "/CN=here", "-days", "2", "-keyout", directory / "tls.key", "-out", directory / "tls.crt"],
        check=True,
        capture_output=True,
    )  # fmt: skip


def nothing(config: Path) -> None:
    """There is no file."""


def no_toml(config: Path) -> None:
    config.write_text("[server\n")


def no_text(config: Path) -> None:
    config.write_bytes(b"\xff\xfe")


def a_typo(config: Path) -> None:
    config.write_text("[server]\nlisen = 1\n" + PLAIN)


def no_hypervisor(config: Path) -> None:
    config.write_text("[server]\n")


def passwords_in_the_clear(config: Path) -> None:
    config.write_text('[server]\nlisten = "0.0.0.0:8080"\n' + PLAIN)


def no_certificate(config: Path) -> None:
    config.write_text(TLS)
    for name in ("tls.crt", "tls.key"):
        (config.parent / name).write_text("rubbish")
    (config.parent / "tls.key").chmod(0o600)


def another_key(config: Path) -> None:
    config.write_text(TLS)
    make_pair(config.parent)
    first = (config.parent / "tls.key").read_text()
    make_pair(config.parent)
    (config.parent / "tls.key").write_text(first)


def a_key_with_a_passphrase(config: Path) -> None:
    config.write_text(TLS)
    make_pair(config.parent)
    key = config.parent / "tls.key"
    command: list[str | Path] = [
        "openssl",
        "ec",
        "-in",
        key,
        "-aes256",
        "-passout",
        "pass:secret",
        "-out",
        key.with_name("locked"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    key.with_name("locked").replace(key)


def with_key(config: Path, entry: str) -> None:
    config.write_text(PLAIN.replace("[store]", f"[store]\n{entry}"))


def no_store_key(config: Path) -> None:
    with_key(config, 'key = "store.key"')


def no_former_key(config: Path) -> None:
    with_key(config, 'former_keys = ["store.key"]')


def a_short_store_key(config: Path) -> None:
    with_key(config, 'key = "store.key"')
    config.with_name("store.key").write_text("short")
    config.with_name("store.key").chmod(0o600)


def a_store_key_that_others_may_read(config: Path) -> None:
    with_key(config, 'key = "store.key"')
    config.with_name("store.key").write_text("x" * 40)
    config.with_name("store.key").chmod(0o644)


def a_short_key_that_the_first_start_made(config: Path) -> None:
    config.write_text(PLAIN)
    config.with_name("gateway.db.key").write_text("short")
    config.with_name("gateway.db.key").chmod(0o600)


def a_directory(config: Path) -> None:
    config.mkdir()


MISTAKES: dict[Callable[[Path], None], str] = {
    nothing: "gateway.toml: cannot be read",
    a_directory: "gateway.toml: cannot be read",
    no_toml: "gateway.toml: is not TOML",
    no_text: "gateway.toml: is not TOML",
    a_typo: "lisen",
    no_hypervisor: "hypervisor",
    passwords_in_the_clear: "[server] listen",
    no_certificate: "tls.crt",
    another_key: "tls.key",
    a_key_with_a_passphrase: "tls.key",
    no_store_key: "store.key of the store cannot be read: No such file",
    no_former_key: "store.key of the store cannot be read: No such file",
    a_short_store_key: "store.key has fewer than 32 bytes",
    a_store_key_that_others_may_read: "store.key has mode 0644",
    a_short_key_that_the_first_start_made: "gateway.db.key has fewer than 32 bytes",
}


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(config)])


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_wrong_configuration_ends_with_78_and_names_the_file(
    tmp_path: Path, command: str, mistake: Callable[[Path], None]
) -> None:
    config = tmp_path / "gateway.toml"
    mistake(config)
    done = run(config, command)
    assert done.exit_code == EX_CONFIG, done.output
    assert MISTAKES[mistake] in done.output
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("words", [("user", "list"), ("jobs", "list"), ("events", "tail")])
def test_every_command_says_so_likewise(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run(tmp_path / "none.toml", *words).exit_code == EX_CONFIG


def test_a_mistake_of_another_kind_ends_with_1(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(PLAIN)
    assert run(config, "user", "remove", "nobody").exit_code == 1


@pytest.fixture
def searchable() -> Iterator[Path]:
    """A directory that every user may search (tmp_path is not), with a configuration that serves TLS."""
    directory = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="cimi-exit-"))
    directory.chmod(0o711)
    (directory / "gateway.toml").write_text(TLS)
    make_pair(directory)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize("name", ["tls.key", "tls.crt", "gateway.toml"])
def test_a_file_that_this_user_may_not_read_is_named(searchable: Path, name: str, command: str) -> None:
    for path in searchable.iterdir():
        # A key is refused when others than its owner may read it.
        path.chmod(0o600 if path.name in (name, "tls.key") else 0o644)
    if name != "tls.key":
        os.chown(searchable / "tls.key", NOBODY, NOBODY)
    config = ["--config", str(searchable / "gateway.toml")]
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all"]
    run = [*drop, sys.executable, "-m", "gateway", command, *config]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == EX_CONFIG, done.stderr
    assert f"{searchable / name}: " in done.stderr
    assert "Permission denied" in done.stderr


def service() -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(ROOT / "systemd/cimi-gateway.service")
    return {name: dict(parser[name]) for name in parser.sections()}


def test_systemd_does_not_start_again_what_a_wrong_configuration_ended() -> None:
    unit = service()
    assert unit["Service"]["Restart"] == "on-failure"
    assert int(unit["Service"]["RestartPreventExitStatus"]) == EX_CONFIG


def test_systemd_gives_up_a_service_that_ends_soon_after_each_start() -> None:
    """A start takes seconds: the limit counts only when that many of them fit into its interval."""
    unit = service()
    tries, interval = (int(unit["Unit"][f"StartLimit{name}"]) for name in ("Burst", "IntervalSec"))
    assert tries * (int(unit["Service"]["RestartSec"]) + 10) < interval


def test_a_service_whose_watchdog_ends_it_now_and_then_is_always_started_again() -> None:
    unit = service()
    tries, interval = (int(unit["Unit"][f"StartLimit{name}"]) for name in ("Burst", "IntervalSec"))
    assert tries * int(unit["Service"]["WatchdogSec"]) >= interval
