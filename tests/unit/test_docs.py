"""What the documentation names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted((*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`(tests/[\w/.-]+?)`", page.read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_test_of_faults_shows_a_promise_that_users_are_given() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    tests = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / "fault").glob("test_*.py"))]
    assert [path for path in tests if f"`{path}`" not in page] == []


def test_every_module_that_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text()))
    there = [f"/{path.relative_to(ROOT)}" for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_that_a_page_leads_to_is_there(page: Path) -> None:
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())}
    files = {target for target in linked if target and "://" not in target}
    assert [target for target in sorted(files) if not (page.parent / target).exists()] == []


def test_the_index_has_a_line_for_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    lines = set(re.findall(r"^- \[[^\]]+\]\((\w[\w.-]*)\): \S", index, re.MULTILINE))
    assert lines == {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
