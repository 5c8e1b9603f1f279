"""The pages of the site: those of the repository with links that lead on, and a reference of what is declared."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.cimi.registry import TYPES
from tests.place import ROOT
from tools.site import SECTIONS, gather

LINK = re.compile(r"\]\(([^)\s#:]+\.md)")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site") / "pages"
    gather(target)
    return target


def test_every_link_between_pages_leads_to_one(pages: Path) -> None:
    dead = [
        f"{page.relative_to(pages)}: {link}"
        for page in sorted(pages.rglob("*.md"))
        for link in LINK.findall(page.read_text())
        if not (page.parent / link).resolve().is_file()
    ]
    assert dead == []


def test_every_page_stands_in_the_contents(pages: Path) -> None:
    listed = {page for section in SECTIONS.values() for page in section} | {"index"}
    there = {str(page.relative_to(pages).with_suffix("")) for page in pages.rglob("*.md")}
    assert {page for page in there if not page.startswith("design/")} | {"design/index"} == listed


def test_the_reference_has_every_type_every_attribute_and_every_verb(pages: Path) -> None:
    resources = (pages / "reference" / "resources.md").read_text()
    for kind, described in TYPES.items():
        part = resources.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
        assert [name for name in described.attributes if f"| `{name}` |" not in part] == [], kind
    assert "### cimi launch" in (pages / "reference" / "commands.md").read_text()
    assert "| 409 | 10409 |" in (pages / "reference" / "errors.md").read_text()


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    dashboard = json.loads((ROOT / "etc" / "grafana-dashboard.json").read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\bcimi_\w+", target["expr"])
    }
    source = (ROOT / "gateway" / "http" / "metrics.py").read_text()
    plain = {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in asked}
    assert [name for name in sorted(plain) if f'"{name}"' not in source] == []
    assert len(plain) > 10
