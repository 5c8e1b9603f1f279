"""The command, as somebody runs it who wants to know how good a provider is."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from conformance.wire import Wire
from tests.cimi_client import wait_until
from tests.conformance.provider import PASSWORD, serving
from tests.conformance.proxy import Mutation, Proxy, proxying

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ("machines", "volumes", "networks", "machineConfigs", "credentials", "machineImages", "eventLogs")


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, str]]:
    with serving(tmp_path_factory.mktemp("gateway")) as (url, image), proxying(url) as proxy:
        yield proxy, image


def start(url: str, *arguments: str, user: str = "admin") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gateway", "conformance", url, "--user", user, *arguments],
        env={**os.environ, "CIMI_PASSWORD": PASSWORD},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What is started in the background has SIGINT ignored, and so have its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=300)
    return process.returncode, output, errors


def credentials() -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'admin:{PASSWORD}'.encode()).decode()}"}


def read(url: str) -> dict[str, Any]:
    request = urllib.request.Request(url, headers={"Accept": "application/json", **credentials()})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read()))


def counts(url: str) -> dict[str, int]:
    return {name: int(read(url + name)["count"]) for name in COLLECTIONS}


def test_what_holds_ends_with_0_and_a_line_that_counts(proxied: tuple[Proxy, str]) -> None:
    code, output, _errors = ended(start(proxied[0].url, "--only", "filter-and", "--only", "select-order"))
    assert code == 0
    assert output.startswith("3 PASS, 0 FAIL, 0 WARN, 0 NOT TESTED;")


def test_what_is_broken_ends_with_1_and_says_what(proxied: tuple[Proxy, str], tmp_path: Path) -> None:
    proxy = proxied[0]
    page, suites, facts = (tmp_path / f"report{suffix}" for suffix in (".html", ".xml", ".json"))
    wanted = [word for path in (page, suites, facts) for word in ("--report", str(path))]
    proxy.mutation = Mutation("", (), request=lambda asked: asked.drop("$filter"))
    try:
        code, output, _errors = ended(start(proxy.url, "--only", "filter-and", "--format", "json", *wanted))
    finally:
        proxy.mutation = None
    assert code == 1
    assert "FAIL json filter-and (4.1.6.1): $filter=" in output
    assert "What does not hold" in page.read_text()
    failure = etree.parse(suites).find(".//failure")
    assert failure is not None and "where Ec belong" in str(failure.get("message"))
    result = json.loads(facts.read_text())["results"][0]
    assert (result["verdict"], result["clause"], result["format"]) == ("FAIL", "4.1.6.1", "json")
    assert any("GET" in line and "-> 200" in line for line in result["exchanges"])
    assert PASSWORD not in page.read_text() + suites.read_text() + facts.read_text()


def test_machines_are_made_from_the_image_that_is_found(proxied: tuple[Proxy, str]) -> None:
    url = proxied[0].url
    body = json.dumps({"name": "guest", "imageLocation": proxied[1]}).encode()
    headers = {"Content-Type": "application/json", "Prefer": "wait=30", **credentials()}
    urllib.request.urlopen(urllib.request.Request(f"{url}machineImages", body, headers), timeout=60).close()
    code, output, _errors = ended(start(url, "--only", "machine-has-its-state"))
    assert (code, output[:7]) == (0, "2 PASS,")


def test_an_interrupt_leaves_nothing_behind(proxied: tuple[Proxy, str]) -> None:
    url, image = proxied[0].url, proxied[1]
    before = counts(url)
    process = start(url, "--image-location", image)
    wait_until(lambda: counts(url)["machineConfigs"] > before["machineConfigs"] + 3, 120, "the run has made something")
    process.send_signal(signal.SIGINT)
    code, _output, errors = ended(process)
    assert code == 130, errors
    assert counts(url) == before


def test_a_suffix_that_no_report_has_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    code, _output, errors = ended(start("http://127.0.0.1:9/", "--report", str(tmp_path / "report.pdf")))
    assert code == 2
    assert ".html, .json, .xml, .md" in errors


def test_a_check_that_there_is_not_is_refused() -> None:
    code, _output, errors = ended(start("http://127.0.0.1:9/", "--only", "filter-und"))
    assert code == 2
    assert "filter-und is no check" in errors


def test_the_password_goes_to_the_provider_alone() -> None:
    wire = Wire("https://one.example/cimi/", "admin", PASSWORD, "json")
    assert "Authorization" in wire._credentials("https://one.example/cimi/machines")
    for elsewhere in ("https://two.example", "https://one.example:444", "http://one.example"):
        assert "Authorization" not in wire._credentials(f"{elsewhere}/cimi/machines")


def test_the_password_does_not_follow_a_provider_that_links_to_plain_http() -> None:
    wire = Wire("https://one.example/cimi/", "admin", PASSWORD, "json", base="http://one.example/cimi/")
    assert "Authorization" not in wire._credentials("http://one.example/cimi/machines")
    trusting = Wire("http://one.example/cimi/", "admin", PASSWORD, "json", verify=False)
    assert "Authorization" in trusting._credentials("http://one.example/cimi/machines")


def test_a_provider_that_does_not_answer_is_a_failure_and_no_traceback() -> None:
    code, output, errors = ended(start("http://127.0.0.1:9/cimi/", "--only", "entry-point-is-readable"))
    assert code == 1
    assert "entry-point-is-readable" in output
    assert "Traceback" not in output + errors
