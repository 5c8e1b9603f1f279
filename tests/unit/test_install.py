"""``make install``: the tree it makes is whole, and works."""

from __future__ import annotations

import subprocess
import sys
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
