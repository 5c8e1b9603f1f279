"""The command by which systemd looks in the service's place."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.doctor import service_view
from tests.source import ROOT


def test_it_carries_the_units_user_and_what_the_unit_shows_of_the_files() -> None:
    properties = {"LoadState": "loaded", "User": "cimi-gateway", "ProtectHome": "yes", "ReadWritePaths": ""}
    command = service_view.command_of({**properties, "Slice": "x"}, "doctor", "--here")
    assert command[0] == "systemd-run"
    assert [word for word in command if word.startswith("--property=")] == [
        "--property=User=cimi-gateway",
        "--property=ProtectHome=yes",
    ]
    assert command[-6:] == [sys.executable, "-P", "-m", "gateway", "doctor", "--here"]


def test_every_setting_of_the_shipped_unit_that_decides_about_files_is_carried() -> None:
    """A new one in the unit has to be thought of here."""
    lines = (ROOT / "systemd/cimi-gateway.service").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if "=" in line and not line.startswith("#")}
    decide = ("User", "Group", "Supplementary", "UMask", "ProtectSystem", "ProtectHome", "Private", "State", "Cache",
              "Read", "Bind", "Inaccessible", "Temporary", "Root", "NoExec")  # fmt: skip
    assert {name for name in names if name.startswith(decide)} <= set(service_view.PROPERTIES)


def test_where_systemd_does_not_run_there_is_no_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_view, "RUNNING", ROOT / "no such directory")
    assert service_view.unit_properties() is None
    assert not service_view.can_look(None)


def test_only_root_can_have_systemd_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.doctor.service_view.os.geteuid", lambda: 1000)
    assert not service_view.can_look({"User": "cimi-gateway"})


def endless(command: list[str], **named: object) -> None:
    raise subprocess.TimeoutExpired(command, 180)


def missing(command: list[str], **named: object) -> None:
    raise FileNotFoundError(2, "No such file or directory")


@pytest.mark.parametrize("command", ["check", "doctor"])
@pytest.mark.parametrize(("runs", "words"), [(endless, "came to no end"), (missing, "cannot be run")])
def test_a_systemd_that_does_not_answer_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str, runs: Callable[..., None], words: str
) -> None:
    monkeypatch.setattr(service_view, "RUNNING", tmp_path)
    monkeypatch.setattr(subprocess, "run", runs)
    result = CliRunner().invoke(main, [command, "--config", str(tmp_path / "gateway.toml")])
    assert result.exit_code == 1
    assert f"systemctl {words}" in result.output
    assert "--here" in result.output


def test_a_look_that_comes_to_no_end_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", endless)
    with pytest.raises(service_view.NoViewError, match="systemd-run came to no end"):
        service_view.look({"LoadState": "loaded"}, "doctor")
