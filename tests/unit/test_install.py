"""``make install``: the tree it makes is whole, and works."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    done = subprocess.run(
        ["make", "install", f"DESTDIR={root}", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root


def test_the_service_finds_its_program_configuration_and_rights_where_it_looks(installed: Path) -> None:
    for path in (
        "usr/bin/cimi-gateway",
        "usr/lib/systemd/system/cimi-gateway.service",
        "usr/lib/sysusers.d/cimi-gateway.conf",
        "usr/lib/tmpfiles.d/cimi-gateway.conf",
        "usr/share/polkit-1/rules.d/60-cimi-gateway.rules",
        "etc/cimi-gateway/gateway.toml",
    ):
        assert (installed / path).is_file(), path


def test_the_installed_program_runs_with_its_own_libraries_and_data_alone(installed: Path) -> None:
    script = (installed / "usr/bin/cimi-gateway").read_text()
    library = installed / "usr/lib/cimi-gateway"
    assert f"PYTHONPATH=/usr/lib/cimi-gateway exec {sys.executable} -m gateway" in script
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gateway", "check", "--config", str(installed / "etc/cimi-gateway/gateway.toml")],
        env={"PYTHONPATH": str(library)},
        cwd=installed,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.rstrip().endswith("valid"), done.stderr
    assert {path.name for path in (library / "gateway").rglob("*.sql")} >= {"0001_first.sql"}
    assert (library / "gateway/cimi/filter.lark").is_file()


def test_users_and_directories_are_made_as_the_fragments_say(installed: Path) -> None:
    for name in ("passwd", "group"):
        (installed / "etc" / name).touch()
    subprocess.run(["systemd-sysusers", f"--root={installed}"], check=True, capture_output=True)
    assert "cimi-gateway:" in (installed / "etc/passwd").read_text()
    assert "libvirt:" in (installed / "etc/group").read_text()
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={installed}"], check=True, capture_output=True)
    assert (installed / "var/lib/cimi-gateway").stat().st_mode & 0o777 == 0o700
    assert (installed / "etc/cimi-gateway/gateway.toml").stat().st_mode & 0o777 == 0o640


@pytest.fixture
def host(installed: Path) -> Iterator[Path]:
    """What the fragments make of a host, where the gateway's own user can look; its configuration points below it."""
    root = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="cimi-install-"))  # tmp_path is for root alone
    root.chmod(0o755)
    for name in ("usr/lib/sysusers.d", "usr/lib/tmpfiles.d", "etc/cimi-gateway"):
        shutil.copytree(installed / name, root / name)
    for name in ("passwd", "group"):
        (root / "etc" / name).touch()
    subprocess.run(["systemd-sysusers", f"--root={root}"], check=True, capture_output=True)
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={root}"], check=True, capture_output=True)
    config = root / "etc/cimi-gateway/gateway.toml"
    config.write_text(config.read_text().replace('"/var/lib/', f'"{root}/var/lib/'))
    yield root
    shutil.rmtree(root)


def ids(host: Path) -> tuple[int, int]:
    """User and group of the service there."""
    (line,) = [line for line in (host / "etc/passwd").read_text().splitlines() if line.startswith("cimi-gateway:")]
    user, group = line.split(":")[2:4]
    return int(user), int(group)


def as_service(host: Path, *command: str) -> subprocess.CompletedProcess[str]:
    user, group = ids(host)
    drop = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups"]
    return subprocess.run([*drop, *command], capture_output=True, text=True, check=False, cwd="/")


def commands_of_the_readme() -> list[str]:
    section = (ROOT / "README.md").read_text().partition("## As a service")[2].partition("\n## ")[0]
    return [line.partition("#")[0].strip() for line in section.splitlines() if line.startswith("    ")]


def by_root(host: Path, command: str) -> None:
    """A command of the README, with this tree's configuration and a password on standard input."""
    program, *arguments = shlex.split(command)
    assert program == "cimi-gateway"
    config = str(host / "etc/cimi-gateway/gateway.toml")
    run = [sys.executable, "-m", "gateway", *arguments, "--config", config]
    subprocess.run(run, input="secret\n", text=True, check=True, capture_output=True, cwd=ROOT)


def test_what_the_readme_says_of_the_first_user_works_and_the_service_can_read_it(host: Path) -> None:
    (command,) = [line for line in commands_of_the_readme() if "user add" in line]
    by_root(host, command)
    users = host / "var/lib/cimi-gateway/users"
    assert as_service(host, "cat", str(users)).stdout.startswith("admin:admin:$2b$")
    assert as_service(host, "cat", str(host / "etc/cimi-gateway/gateway.toml")).returncode == 0
    assert as_service(host, "touch", str(users.with_name("gateway.db"))).returncode == 0
    assert users.stat().st_mode & 0o007 == 0


def test_users_that_root_changes_later_stay_readable_for_the_service_alone(host: Path) -> None:
    by_root(host, "cimi-gateway user add admin --role admin")
    users = host / "var/lib/cimi-gateway/users"
    for owner, mode in ((0, 0o640), (ids(host)[0], 0o600)):
        os.chown(users, owner, ids(host)[1])
        users.chmod(mode)
        by_root(host, "cimi-gateway user passwd admin")
        assert as_service(host, "cat", str(users)).returncode == 0
        assert users.stat().st_mode & 0o777 == mode


def test_nobody_else_can_read_what_is_the_services(host: Path) -> None:
    by_root(host, "cimi-gateway user add admin --role admin")
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    for path in ("etc/cimi-gateway/gateway.toml", "var/lib/cimi-gateway/users"):
        done = subprocess.run([*other, "cat", str(host / path)], capture_output=True, text=True, check=False, cwd="/")
        assert "Permission denied" in done.stderr
