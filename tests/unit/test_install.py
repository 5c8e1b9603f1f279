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

from tests.source import ROOT, copy_source

pytestmark = pytest.mark.slow


def make(root: Path, target: str = "install", checkout: Path = ROOT, prefix: str = "/usr") -> str:
    """Run a target of the Makefile for a tree of its own; what it said."""
    command = ["make", target, f"DESTDIR={root}", f"PYTHON={sys.executable}", f"PREFIX={prefix}"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    make(root)
    return root


MINE = "# what an admin has set\n"


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree under /usr/local, installed twice: in between its admin and the source have changed."""
    checkout, root = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("upgraded")
    copy_source(checkout)
    removed = checkout / "gateway/removed_later.py"
    removed.touch()
    make(root, checkout=checkout, prefix="/usr/local")
    assert (root / "usr/local/lib/cimi-gateway/gateway/removed_later.py").exists()
    removed.unlink()
    config = root / "etc/cimi-gateway/gateway.toml"
    config.write_text(MINE)
    config.chmod(0o600)
    os.chown(config, 4242, 4243)
    config.parent.chmod(0o711)
    (root / "usr/local/share/doc/cimi-gateway/gateway.toml").write_text("# old\n")
    make(root, checkout=checkout, prefix="/usr/local")
    return root


def test_the_service_finds_its_program_configuration_and_rights_where_it_looks(installed: Path) -> None:
    for path in (
        "usr/bin/cimi-gateway",
        "usr/bin/cimi",
        "usr/share/man/man1/cimi.1",
        "usr/share/bash-completion/completions/cimi",
        "usr/share/zsh/site-functions/_cimi",
        "usr/share/fish/vendor_completions.d/cimi.fish",
        "usr/lib/systemd/system/cimi-gateway.service",
        "usr/lib/systemd/system/cimi-gateway.socket",
        "usr/lib/sysusers.d/cimi-gateway.conf",
        "usr/lib/tmpfiles.d/cimi-gateway.conf",
        "usr/share/polkit-1/rules.d/60-cimi-gateway.rules",
        "etc/cimi-gateway/gateway.toml",
        "etc/cimi-gateway/catalog.toml",
        "usr/share/doc/cimi-gateway/gateway.toml",
        "usr/share/doc/cimi-gateway/README.md",
        "usr/share/doc/cimi-gateway/docs/configuration.md",
        "usr/share/man/man1/cimi-gateway.1",
        "usr/share/bash-completion/completions/cimi-gateway",
    ):
        assert (installed / path).is_file(), path


def run_installed(
    root: Path, *arguments: str, cwd: Path | None = None, program: str = "cimi-gateway"
) -> subprocess.CompletedProcess[str]:
    """Run an installed command, with its library where this tree has it."""
    script = (root / "usr/bin" / program).read_text()
    assert "/usr/lib/cimi-gateway" in script
    here = script.replace("/usr/lib/cimi-gateway", f"{root}/usr/lib/cimi-gateway")
    command = ["sh", "-c", here, program, *arguments]
    return subprocess.run(command, env={}, cwd=cwd or root, capture_output=True, text=True, check=False)


def test_the_installed_program_runs_with_its_own_libraries_and_data_alone(installed: Path) -> None:
    library = installed / "usr/lib/cimi-gateway"
    done = run_installed(installed, "check", "--config", str(installed / "etc/cimi-gateway/gateway.toml"))
    assert done.stdout.rstrip().endswith("valid"), done.stderr
    assert {path.name for path in (library / "gateway").rglob("*.sql")} >= {"0001_first.sql"}
    assert (library / "gateway/cimi/filter.lark").is_file()


def test_the_client_command_is_installed_beside_the_gateway(installed: Path) -> None:
    done = run_installed(installed, "--version", program="cimi")
    assert done.stdout.startswith("cimi, version "), done.stderr


def test_the_installed_program_runs_nothing_of_the_working_directory(installed: Path, tmp_path: Path) -> None:
    for package in ("gateway", "click", "drivers"):
        (tmp_path / package).mkdir()
        for name in ("__init__.py", "__main__.py"):
            (tmp_path / package / name).write_text("print('code of the working directory')\n")
    done = run_installed(installed, "--version", cwd=tmp_path)
    assert "working directory" not in done.stdout
    assert done.stdout.startswith("cimi-gateway, version "), done.stderr


def test_a_second_install_keeps_the_configuration_with_its_owner_and_mode(upgraded: Path) -> None:
    config = upgraded / "etc/cimi-gateway/gateway.toml"
    kept = config.stat()
    assert config.read_text() == MINE
    assert (kept.st_mode & 0o777, kept.st_uid, kept.st_gid) == (0o600, 4242, 4243)
    assert config.parent.stat().st_mode & 0o777 == 0o711


def test_a_second_install_renews_the_example(upgraded: Path) -> None:
    example = upgraded / "usr/local/share/doc/cimi-gateway/gateway.toml"
    assert example.read_text() == (ROOT / "etc/gateway.toml").read_text()


def test_the_first_install_lets_nobody_else_read_the_configuration(installed: Path) -> None:
    config = installed / "etc/cimi-gateway/gateway.toml"
    assert (config.stat().st_mode & 0o777, config.parent.stat().st_mode & 0o777) == (0o640, 0o750)


def test_modules_that_are_gone_from_the_source_are_gone_from_the_next_install(upgraded: Path) -> None:
    library = upgraded / "usr/local/lib/cimi-gateway"
    assert (library / "gateway/__main__.py").exists()
    assert not list(library.rglob("removed_later*"))
    assert [path.name for path in library.parent.iterdir()] == ["cimi-gateway"]


def test_uninstall_takes_away_what_install_brought_and_keeps_the_configuration(installed: Path, tmp_path: Path) -> None:
    root = shutil.copytree(installed, tmp_path / "root")
    said = make(root, "uninstall")
    left = {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}
    assert left == {"etc/cimi-gateway/gateway.toml", "etc/cimi-gateway/catalog.toml"}
    assert "/etc/cimi-gateway" in said
    assert "/var/lib/cimi-gateway" in said


def test_the_service_names_only_documentation_that_is_installed(installed: Path) -> None:
    unit = (installed / "usr/lib/systemd/system/cimi-gateway.service").read_text()
    (line,) = [line for line in unit.splitlines() if line.startswith("Documentation=")]
    manual, *files = line.partition("=")[2].split()
    assert manual == "man:cimi-gateway(1)"
    assert (installed / "usr/share/man/man1/cimi-gateway.1").is_file()
    for reference in files:
        assert (installed / reference.removeprefix("file:/")).is_file(), reference


def test_with_another_prefix_the_service_starts_the_program_there(upgraded: Path) -> None:
    unit = (upgraded / "usr/lib/systemd/system/cimi-gateway.service").read_text()
    assert "ExecStart=/usr/local/bin/cimi-gateway serve" in unit
    assert "/usr/bin/cimi-gateway" not in unit
    assert "file:/usr/local/share/doc/cimi-gateway/README.md" in unit
    assert "=/usr/local/lib/cimi-gateway " in (upgraded / "usr/local/bin/cimi-gateway").read_text()


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
