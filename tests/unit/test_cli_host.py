"""``doctor`` and ``check`` on the command line: as JSON, in the service's place, and mending."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import host, main
from gateway.doctor import service_view
from gateway.doctor.finding import Finding
from tests.unit.configurations import configured

SERVICE = {"LoadState": "loaded", "User": "cimi-gateway"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path, '[auth]\nusers_file = "users"\n[store]\npath = "gateway.db"\n')


@pytest.fixture
def own_findings(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What this process finds, without libvirt."""
    findings: list[Finding] = []

    async def examined(_settings: Any) -> list[Finding]:
        return [*findings]

    monkeypatch.setattr(host, "_examine", examined)
    monkeypatch.setattr(host, "examine_host", lambda _settings: iter(()))
    monkeypatch.setattr(service_view, "unit_properties", lambda: None)
    return findings


def run(*arguments: str, config: Path) -> Result:
    return CliRunner().invoke(main, [*arguments, "--config", str(config)])


def test_doctor_tells_its_findings_as_one_json_document(config: Path, own_findings: list[Finding]) -> None:
    own_findings.append(Finding("warning", "pool", "it \u202eis full", "free some space"))
    result = run("doctor", "--json", config=config)
    told = {"level": "warning", "subject": "pool", "message": "it \u202eis full", "advice": "free some space"}
    assert json.loads(result.output) == {"findings": [{**told, "fixable": False}]}
    assert result.exit_code == 0
    assert result.output.removesuffix("\n").isprintable()


def test_doctor_fails_where_there_is_an_error_in_json_too(config: Path, own_findings: list[Finding]) -> None:
    own_findings.append(Finding("error", "pool", "it is gone"))
    assert run("doctor", "--json", config=config).exit_code == 1


def test_fix_tells_each_command_before_it_runs_it_and_looks_again(
    config: Path, own_findings: list[Finding], tmp_path: Path
) -> None:
    made = tmp_path / "made"
    own_findings += [
        Finding("error", "a", "to mend", f"touch {made}", fixable=True),
        Finding("error", "b", "for a person", f"touch {made}.person"),
        Finding("ok", "c", "well", f"touch {made}.well", fixable=True),
        Finding("warning", "d", "cannot be mended", "echo no way >&2; exit 1", fixable=True),
    ]
    result = run("doctor", "--fix", config=config)
    lines = result.output.splitlines()
    assert lines[:4] == [
        f"fix     touch {made}",
        "          -> done",
        "fix     echo no way >&2; exit 1",
        "          -> no way",
    ]
    assert "error   a: to mend" in lines[4:]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gateway.toml", "made"]


def test_fix_is_for_root(config: Path, own_findings: list[Finding], monkeypatch: pytest.MonkeyPatch) -> None:
    own_findings.append(Finding("error", "a", "to mend", "false", fixable=True))
    monkeypatch.setattr("gateway.cli.host.os.geteuid", lambda: 1000)
    result = run("doctor", "--fix", config=config)
    assert result.exit_code == 2
    assert "as root" in result.output


def in_the_services_place(monkeypatch: pytest.MonkeyPatch, out: str, status: int) -> list[tuple[str, ...]]:
    """Have a service whose view says this; the words of each look."""
    looks: list[tuple[str, ...]] = []

    def look(_properties: Any, *words: str) -> subprocess.CompletedProcess[str]:
        looks.append(words)
        return subprocess.CompletedProcess(words, status, out, "on standard error\n")

    monkeypatch.setattr(service_view, "unit_properties", lambda: SERVICE)
    monkeypatch.setattr(service_view, "can_look", lambda _properties: True)
    monkeypatch.setattr(service_view, "look", look)
    return looks


def test_root_is_told_what_the_service_sees(
    config: Path, own_findings: list[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = {"level": "error", "subject": "images", "message": "hidden", "advice": "elsewhere", "fixable": False}
    looks = in_the_services_place(monkeypatch, json.dumps({"findings": [finding]}), 1)
    result = run("doctor", config=config)
    assert result.output.splitlines()[:2] == ["error   images: hidden", "          -> elsewhere"]
    assert "looked as cimi-gateway" in result.output
    assert result.exit_code == 1
    assert looks == [("doctor", "--here", "--json", "--config", str(config))]


def test_root_runs_nothing_that_the_services_user_advises(
    config: Path, own_findings: list[Finding], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    finding = {"level": "error", "subject": "x", "message": "x", "advice": f"touch {made}", "fixable": True}
    in_the_services_place(monkeypatch, json.dumps({"findings": [finding]}), 1)
    assert "error   x: x" in run("doctor", "--fix", config=config).output
    assert not made.exists()


@pytest.mark.parametrize("words", ["", "no JSON", "[]", '{"findings": [{"level": "odd"}]}'])
def test_a_look_that_fails_ends_doctor_as_it_ended(
    config: Path, own_findings: list[Finding], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    in_the_services_place(monkeypatch, words, 78)
    result = run("doctor", config=config)
    assert result.exit_code == 78
    assert "on standard error" in result.output


def test_check_says_as_json_whether_the_configuration_is_valid(config: Path) -> None:
    assert json.loads(run("check", "--here", "--json", config=config).output) == {"config": str(config), "valid": True}


def test_check_says_as_json_why_a_configuration_is_not_valid(config: Path) -> None:
    config.write_text("[sever]\n")
    result = run("check", "--here", "--json", config=config)
    said = json.loads(result.output)
    assert (result.exit_code, said["valid"]) == (78, False)
    assert "[sever]" in said["reason"]
