"""The gateway on real libvirt, judged statement by statement, by the command that anyone can run."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from tests.conformance.real import DOCUMENT, Judged, document, judge

pytestmark = pytest.mark.qemu
NOT_OFFERED = {
    "capability-query-path-notation": "paths in $select",
    "capability-max-property-items": "the capability MaxPropertyItems",
    "promise-machine-image-by-value": "MachineImages by value",
    "promise-shared-volume-support": "shared Volumes, in this configuration",
}
"""Optional features that this gateway does not have, by the check that would look at them."""
NESTED_JOBS = "job-nested"
"""Jobs that make Systems have some."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    return judge(tmp_path_factory.mktemp("judged"))


def told(judged: Judged, verdict: str) -> list[str]:
    found = [result for result in judged.report["results"] if result["verdict"] == verdict]
    return [f"{result['format']} {result['id']}: {result['message']}" for result in found]


def test_no_shall_is_broken(judged: Judged) -> None:
    assert told(judged, "FAIL") == []
    assert judged.code == 0, judged.output


def test_only_what_the_gateway_does_not_offer_is_not_tested(judged: Judged) -> None:
    untested = {result["id"] for result in judged.report["results"] if result["verdict"] == "NOT TESTED"}
    systems = {name for name in untested if name.startswith("system-") or name == NESTED_JOBS}
    offered = any(
        result["id"].startswith("system-") and result["verdict"] == "PASS" for result in judged.report["results"]
    )
    assert untested - systems == set(NOT_OFFERED), told(judged, "NOT TESTED")
    assert not systems or not offered, told(judged, "NOT TESTED")


def test_what_differs_from_the_standards_proposals_is_the_documented_one(judged: Judged) -> None:
    warned = {result["id"] for result in judged.report["results"] if result["verdict"] == "WARN"}
    assert warned == {"snapshots-outlive-the-machine"}, told(judged, "WARN")


def test_everything_that_was_made_is_gone_afterwards(judged: Judged) -> None:
    assert judged.left == ()
    assert judged.report["left"] == []


def test_the_document_says_what_a_fresh_run_says(judged: Judged) -> None:
    current = DOCUMENT.read_text(encoding="utf-8")
    assert document(current, judged.table) == current, "run `make conformance` and look at what it changes"


def test_junit_counts_what_the_report_counts(judged: Judged) -> None:
    root = etree.fromstring(judged.junit.encode())
    assert int(root.get("tests", "")) == len(judged.report["results"]) == len(root.findall(".//testcase"))
    assert root.get("failures") == "0"


def test_the_page_shows_every_statement(judged: Judged) -> None:
    for name in {result["id"] for result in judged.report["results"]}:
        assert f"<code>{name}</code>" in judged.html


def test_the_page_needs_nothing_from_elsewhere(judged: Judged) -> None:
    assert "<script" not in judged.html
    assert "src=" not in judged.html
    assert Path(DOCUMENT).exists()
