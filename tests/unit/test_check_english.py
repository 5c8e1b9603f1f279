"""The figures of make check count what they say they count."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tools import check_english
from tools.check_english import FAMILIES, HOUSE, circling, counted, is_documented, main, public

SAMPLE = '''
"""A module."""
class Thing:
    """What it is."""
    def run(self, a, b, c, d, e): """Return the sum."""
    def go(self, a, b, c, d, e, f): """The sum, of six."""
    @property
    def state(self): """The state, as a noun."""
    def _private(self): """``a`` and more."""
    def bare(self): pass
found = resource.internal["job"]
with_key = resource.internal.get("job") or resource.with_internal(job=1)
def known(told): return arguments["path"]
'''


def figures(source: str) -> list[str]:
    return sorted(figure for node in ast.walk(ast.parse(source)) for figure in counted(node))


def test_each_offence_is_counted_once() -> None:
    expected = {
        "classes_without_noun": 1,
        "functions_of_many_parameters": 1,
        "functions_without_verb": 2,
        "untyped_accesses": 4,
        "vague_variables": 2,
    }
    assert figures(SAMPLE) == sorted(name for name, number in expected.items() for _ in range(number))


def test_what_keeps_to_the_rules_is_not_counted() -> None:
    assert figures('class Kept:\n    """Facts of one resource."""\ndef run(at): """Do the step."""') == []


def test_public_is_what_others_can_name() -> None:
    names = [getattr(node, "name", "module") for node in public(ast.parse(SAMPLE))]
    assert names == ["module", "Thing", "run", "go", "state", "bare", "known"]


def test_a_check_of_the_catalogue_is_documented_by_its_statement() -> None:
    source = '@check("filter-and")\ndef filter_and(provider): pass\n@fixture\ndef disk(provider): pass\n'
    assert [is_documented(node) for node in public(ast.parse(source))] == [False, True, False]


def test_folders_in_a_circle_are_named() -> None:
    imports = {"a": "b", "b": "c", "c": "a", "d": "a"}
    modules = {
        FAMILIES / folder / "service.py": ast.parse(f"from gateway.orchestration.{other}.service import X")
        for folder, other in imports.items()
    }
    assert circling(modules) == {"a", "b", "c"}


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the one file of a program that is checked in place of this one."""
    monkeypatch.setattr(check_english, "ROOT", tmp_path)
    monkeypatch.setattr(check_english, "TREES", ("rooms",))
    path = tmp_path / "rooms" / "room.py"
    path.parent.mkdir()
    path.write_text(SAMPLE)
    generous = {name: 0.0 if name == "public_docstrings" else 1000.0 for name in HOUSE["limits"]}
    monkeypatch.setitem(HOUSE, "limits", generous)
    return path


@pytest.mark.usefixtures("module")
def test_figures_within_their_limits_pass() -> None:
    assert main([]) == 0


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(("figure", "limit"), [("longest_file", 10), ("public_docstrings", 99), ("vague_variables", 1)])
def test_a_figure_beyond_its_limit_fails(
    figure: str, limit: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(HOUSE["limits"], figure, limit)
    assert main([]) == 1
    assert f"BROKEN {figure}" in capsys.readouterr().out


def test_a_test_file_beyond_its_limit_fails(
    module: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = module.parents[1] / "tests"
    tests.mkdir()
    (tests / "test_rooms.py").write_text(SAMPLE)
    monkeypatch.setitem(HOUSE["limits"], "longest_test_file", 10)
    assert main([]) == 1
    assert "BROKEN longest_test_file" in capsys.readouterr().out


@pytest.mark.usefixtures("module")
def test_the_places_of_a_figure_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    main(["functions_of_many_parameters"])
    assert "rooms/room.py:6" in capsys.readouterr().out.splitlines()
