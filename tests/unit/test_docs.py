"""What the documentation names is there, and what it promises of itself holds."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tools.diagrams import PAGE, redrawn

ROOT = Path(__file__).resolve().parent.parent.parent
ARCHITECTURE = ROOT / "ARCHITECTURE.md"
DESIGN = sorted((ROOT / "docs" / "design").glob("*.md"))
PAGES = sorted((*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")))
OF_DEVELOPERS = [ARCHITECTURE, ROOT / "CONTRIBUTING.md", ROOT / "docs" / "glossary.md", *DESIGN]
TERM = re.compile(r"^\| \*\*(\w+)\*\* \| (.*) \|$", re.MULTILINE)
"""A line of the glossary: a term, and what it means."""


def name_of(page: Path) -> str:
    """Return the path of a page in the repository."""
    return str(page.relative_to(ROOT))


def orchestration_picture() -> list[str]:
    """Return the folders and modules of orchestration in the picture of the floors, from the top down."""
    picture = ARCHITECTURE.read_text().partition("gateway/orchestration ")[2].partition("\ngateway/jobs ")[0]
    first_columns = re.findall(r"^    (\w+(?:  \w+)*)", picture, re.MULTILINE)
    return [name for column in first_columns for name in column.split()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`(tests/[\w/.-]+?)`", page.read_text()))
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_test_of_faults_shows_a_promise_that_users_are_given() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text()
    tests = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests" / "fault").glob("test_*.py"))]
    assert [path for path in tests if f"`{path}`" not in page] == []


@pytest.mark.parametrize("page", OF_DEVELOPERS, ids=name_of)
def test_every_module_that_a_page_for_developers_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", page.read_text()))
    there = [f"/{path.relative_to(ROOT)}" for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    assert [name for name in sorted(named) if not any(path.endswith(f"/{name}") for path in there)] == []


def test_the_architecture_names_files_from_the_root() -> None:
    named = set(re.findall(r"`((?:gateway|drivers)/[\w/]+\.py)`", ARCHITECTURE.read_text()))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_files_that_the_architecture_names_of_every_family_are_explained() -> None:
    named = set(re.findall(r"`<family>/(\w+\.py)`", ARCHITECTURE.read_text()))
    explained = (ROOT / "docs" / "design" / "families.md").read_text()
    assert {"service.py", "facts.py"} <= named
    assert [
        name for name in sorted(named) if not re.search(rf"^\| `(<family>/)?{name}` \|", explained, re.MULTILINE)
    ] == []


def test_the_picture_shows_every_package() -> None:
    rooms = [path.parent for tree in ("gateway", "drivers") for path in (ROOT / tree).glob("*/__init__.py")]
    names = [str(room.relative_to(ROOT)) for room in rooms] + ["conformance", "demo", "bench", "tools"]
    text = ARCHITECTURE.read_text()
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", text)] == []
    folders = [path.parent.name for path in (ROOT / "gateway" / "orchestration").glob("*/__init__.py")]
    modules = [path.stem for path in (ROOT / "gateway" / "orchestration").glob("[!_]*.py")]
    assert sorted(orchestration_picture()) == sorted([*folders, *modules])


def test_the_picture_has_the_floors_in_the_order_that_import_linter_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = [
        contract["layers"] for contract in contracts if contract.get("containers") == ["gateway.orchestration"]
    ]
    held = [name for floor in floors for name in floor.split(" : ")]
    assert [name for name in orchestration_picture() if name in held] == held


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_that_a_page_leads_to_is_there(page: Path) -> None:
    linked = {target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())}
    files = {target for target in linked if target and "://" not in target}
    assert [target for target in sorted(files) if not (page.parent / target).exists()] == []


def test_the_architecture_is_one_page_and_leads_to_the_others() -> None:
    text = ARCHITECTURE.read_text()
    assert len(text.splitlines()) <= 150
    assert "(docs/design/index.md)" in text
    assert "(docs/glossary.md)" in text


@pytest.mark.parametrize("page", [page for page in DESIGN if page.name != "index.md"], ids=name_of)
def test_a_page_of_design_is_short_and_has_its_place_in_the_index(page: Path) -> None:
    written = re.sub(r"<!-- (.+?) -->.*?<!-- end of \1 -->", "", page.read_text(), flags=re.DOTALL)
    assert len(written.splitlines()) <= 80
    assert "**Decision.**" in written
    assert f"]({page.name})" in (page.parent / "index.md").read_text()


def test_an_action_of_a_machine_touches_six_files_at_most() -> None:
    (row,) = [line for line in ARCHITECTURE.read_text().splitlines() if line.startswith("| an action of a Machine")]
    assert 0 < len(re.findall(r"`gateway/[\w/]+\.py`", row)) <= 6


def test_the_states_are_drawn_as_the_tables_say() -> None:
    assert PAGE.read_text() == redrawn(PAGE.read_text()), "make diagrams"


def test_every_term_of_the_glossary_occurs_in_the_code() -> None:
    code = "\n".join(path.read_text() for tree in ("gateway", "drivers") for path in (ROOT / tree).rglob("*.py"))
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", code)}
    terms = [term for term, _ in TERM.findall((ROOT / "docs" / "glossary.md").read_text())]
    assert [term for term in terms if term not in words] == []


def test_the_glossary_is_short_and_in_order_with_one_sentence_for_each_term() -> None:
    lines = TERM.findall((ROOT / "docs" / "glossary.md").read_text())
    terms = [term for term, _ in lines]
    assert 25 <= len(terms) <= 40
    assert terms == sorted(set(terms))
    assert [term for term, meaning in lines if not meaning.endswith(".") or ". " in meaning] == []


def test_every_library_that_is_installed_is_justified() -> None:
    setup = (ROOT / "setup.cfg").read_text().partition("install_requires =")[2].partition("[")[0]
    libraries = re.findall(r"^    ([\w-]+)", setup, re.MULTILINE)
    table = ARCHITECTURE.read_text().partition("## Dependencies")[2]
    justified = {name for names in re.findall(r"^\| ([\w, -]+) \| ", table, re.MULTILINE) for name in names.split(", ")}
    assert [name for name in libraries if name not in justified] == []


def test_the_index_has_a_line_for_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    lines = set(re.findall(r"^- \[[^\]]+\]\((\w[\w.-]*)\): \S", index, re.MULTILINE))
    assert lines == {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
