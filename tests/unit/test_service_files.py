"""The files that make the gateway a service are valid and strict."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.config import load

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "systemd" / "cimi-gateway.service"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program path that exists here, as verify wants it."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/bin/cimi-gateway", "/bin/true"))
    return copy


def test_systemd_accepts_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []


def test_the_units_exposure_is_below_2_5(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert found is not None, (done.stdout, done.stderr)
    assert float(found.group(1)) < 2.5


def test_the_example_configuration_is_valid_and_tells_the_defaults() -> None:
    settings = load(ROOT / "etc" / "gateway.toml")
    assert settings.jobs.answer_wait == 2
    assert settings.hypervisors[0].uri == "qemu:///system"


def test_every_default_that_the_example_comments_out_is_the_real_one(tmp_path: Path) -> None:
    text = (ROOT / "etc" / "gateway.toml").read_text()
    shown = re.sub(
        r"^# ((?:max_body|public_entry_point|allow_insecure_basic|workers|retention_minutes|answer_wait|"
        r"stop_deadline) = )",
        r"\1",
        text,
        flags=re.MULTILINE,
    )
    copy = tmp_path / "gateway.toml"
    copy.write_text(shown)
    shutil.copy(ROOT / "etc" / "catalog.toml", tmp_path)
    plain = load(ROOT / "etc" / "gateway.toml")
    loaded = load(copy)
    assert (loaded.server, loaded.auth, loaded.jobs) == (plain.server, plain.auth, plain.jobs)


def test_the_service_lives_on_when_memory_is_too_short_for_a_reader() -> None:
    assert "OOMPolicy=continue" in UNIT.read_text().splitlines()


def test_readers_limit_themselves_under_the_services_filter() -> None:
    """The filter refuses ``@resources``, and so setrlimit, which the C library does without."""
    told = "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); print('limited')"
    nice = "import os; os.setpriority(os.PRIO_PROCESS, 0, 5)"
    reader = ["-P", "-m", "drivers.confined", "10", str(512 * 1024**2)]
    under = [sys.executable, "-m", "tests.seccomp", sys.executable]
    assert subprocess.run([*under, "-c", told], capture_output=True, check=True).stdout == b"limited\n"
    assert b"PermissionError" in subprocess.run([*under, "-c", nice], capture_output=True, check=False).stderr
    done = subprocess.run([*under, *reader], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reload_sends_the_signal_that_takes_up_a_new_certificate() -> None:
    assert "ExecReload=/bin/kill -HUP $MAINPID" in UNIT.read_text().splitlines()
