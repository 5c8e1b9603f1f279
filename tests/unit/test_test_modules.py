"""What tests share lies in plain modules and in conftest.py, so that each test module can be read and run alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.place import ROOT

MODULES = sorted((ROOT / "tests").rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_nothing_is_imported_from_a_test_module_or_a_conftest(module: Path) -> None:
    sources = [
        node.module or "" for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.ImportFrom)
    ]
    assert [source for source in sources if re.search(r"(^|\.)(test_\w+|conftest)$", source)] == []


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_import_is_kept_from_the_linter(module: Path) -> None:
    assert re.findall(r"#\s*noqa: *F\d+", module.read_text()) == []


def of_one_kind(returned: str) -> str:
    """A fixture that yields gives the same to a test as one that returns."""
    yielded = re.fullmatch(r"(?:Async)?Iterator\[(.*)\]", returned)
    return yielded.group(1) if yielded else returned


@pytest.mark.parametrize("folder", ["tests/fault", "tests/system", "tests/hosts"])
def test_a_fixture_has_one_meaning_in_a_folder(folder: str) -> None:
    meanings: dict[str, set[str]] = {}
    for module in sorted((ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(d) for d in node.decorator_list):
                assert node.returns is not None, node.name
                meanings.setdefault(node.name, set()).add(of_one_kind(ast.unparse(node.returns)))
    assert {name: kinds for name, kinds in meanings.items() if len(kinds) > 1} == {}
