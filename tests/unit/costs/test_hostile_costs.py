"""No reader of what strangers write costs clearly more than n log n, whatever they write.

The readers, each with its worst input, stand in tests/unit/costs. Besides, each pattern of the program is
fed with what makes patterns backtrack. tests/growth.py says how a busy machine is kept from telling lies.
"""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.growth import MOST_GROWTH, demand_no_worse_than_sorting, growth
from tests.unit.costs.reader import Reader
from tests.unit.costs.registry import NO_READERS, READERS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("gateway.ovf", "drivers.images")
"""Rooms that do nothing but read what strangers wrote, or write it."""
LONGEST_TEXT = 20_000


def modules() -> Iterator[tuple[str, Path]]:
    """Yield all modules of the program, by their names."""
    for room in ("gateway", "drivers"):
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def has_patterns(path: Path) -> bool:
    return "import re" in path.read_text(encoding="utf-8").splitlines()


WITH_PATTERNS = tuple(name for name, path in modules() if has_patterns(path))


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the patterns that modules of the program hold, by their names."""
    for module in WITH_PATTERNS:
        for name, value in vars(import_module(module)).items():
            if isinstance(value, re.Pattern):
                yield f"{module}.{name}", value


PATTERNS = dict(patterns())
FLAGS_AT = {
    "compile": 1,
    "search": 2,
    "match": 2,
    "fullmatch": 2,
    "findall": 2,
    "finditer": 2,
    "split": 3,
    "sub": 4,
    "subn": 4,
}
"""Where each function of ``re`` that takes a pattern takes its flags."""


@dataclass(frozen=True)
class Use:
    """A pattern that is written where it is used, and the function that it is given to."""

    function: str
    pattern: re.Pattern[Any]

    def __call__(self, text: str) -> None:
        subject: Any = text if isinstance(self.pattern.pattern, str) else text.encode("latin-1")
        if self.function in ("sub", "subn"):
            getattr(self.pattern, self.function)(subject[:0], subject)
        elif self.function == "finditer":
            deque(self.pattern.finditer(subject), 0)
        elif self.function == "compile":
            self.pattern.search(subject)
            self.pattern.fullmatch(subject)
        else:
            getattr(self.pattern, self.function)(subject)


def uses(source: str) -> Iterator[tuple[int, Use]]:
    """Yield the line of each call of ``re`` with a constant pattern, and what it does."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=function),
                args=[ast.Constant(value=str() | bytes() as text), *_],
            ) if function in FLAGS_AT:
                given = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
                flags = [*node.args[FLAGS_AT[function] :][:1], *given]
                yield node.lineno, Use(function, re.compile(text, _flags(flags[0]) if flags else 0))


def _flags(node: ast.expr) -> int:
    """Return the flags that an expression such as ``re.DOTALL | re.ASCII`` says."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _flags(left) | _flags(right)
        case ast.Attribute(value=ast.Name(id="re"), attr=name):
            return int(re.RegexFlag[name])
    raise AssertionError(f"flags that are not understood: {ast.unparse(node)}")


def uses_of_the_program() -> Iterator[tuple[str, Use]]:
    """Yield the calls whose pattern no module holds, by module, line and number."""
    held = set(PATTERNS.values())
    for name, path in modules():
        for number, (line, use) in enumerate(uses(path.read_text(encoding="utf-8"))):
            if use.function != "compile" or use.pattern not in held:
                yield f"{name}:{line}:{number}", use


USES = dict(uses_of_the_program())


def attacks(pattern: re.Pattern[str]) -> list[str]:
    """Return what is repeated to make a pattern backtrack: signs of all classes, its own literals, and both."""
    text = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    literals = [found.replace("\\", "") for found in re.findall(r"(?:[A-Za-z0-9/=:-]|\\[./()-]){2,}", text)]
    single = [
        " ",
        "a",
        "0",
        "\n",
        "\t",
        '"',
        "\\",
        "(",
        "-",
        "/",
        ".",
        "=",
        ":",
        ",",
        "a ",
        "a/",
        "a.",
        "0 ",
        "-a",
        '\\"',
    ]
    return [*single, *literals, *(literal + sign for literal in literals for sign in (" ", "0", "a", "="))]


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_reading_costs_no_more_than_sorting(reader: Reader) -> None:
    demand_no_worse_than_sorting(reader.make, reader.attempt, reader.most)


@pytest.mark.parametrize("name", PATTERNS)
def test_no_pattern_backtracks(name: str) -> None:
    pattern = PATTERNS[name]

    def search(text: str) -> None:
        subject = text if isinstance(pattern.pattern, str) else text.encode("latin-1")
        pattern.search(subject)
        pattern.fullmatch(subject)

    for attack in attacks(pattern):
        demand_no_worse_than_sorting(lambda n, attack=attack: attack * n + "\0", search, LONGEST_TEXT)  # type: ignore[misc]


@pytest.mark.parametrize("place", USES)
def test_no_pattern_that_is_written_where_it_is_used_backtracks(place: str) -> None:
    use = USES[place]
    for attack in attacks(use.pattern):
        demand_no_worse_than_sorting(lambda n, attack=attack: attack * n + "\0", use, LONGEST_TEXT)  # type: ignore[misc]


def test_patterns_are_found_where_they_are_used_with_their_flags() -> None:
    source = "def f(s):\n re.sub(r'a', '', s, 0, re.DOTALL | re.ASCII)\n return [re.match(b'(a+)+b', s, flags=re.I)]\n"
    expected = [
        (2, Use("sub", re.compile("a", re.DOTALL | re.ASCII))),
        (3, Use("match", re.compile(b"(a+)+b", re.I))),
    ]
    assert list(uses(source)) == expected


def test_every_module_that_reads_is_measured() -> None:
    measured = {module for reader in READERS for module in reader.modules}
    in_rooms = {name for name, _path in modules() if name.startswith(tuple(f"{room}." for room in ROOMS))}
    forgotten = sorted((in_rooms | set(WITH_PATTERNS)) - measured - NO_READERS.keys())
    assert forgotten == [], "give them a Reader in tests/unit/costs, or say in its registry.py why they need none"


def test_every_module_that_is_said_to_be_measured_exists() -> None:
    there = {name for name, _path in modules()}
    assert {module for reader in READERS for module in reader.modules} | NO_READERS.keys() <= there


@pytest.mark.parametrize("name", sorted(WITH_PATTERNS))
def test_no_pattern_is_made_of_what_others_wrote(name: str) -> None:
    """A pattern that is put together when it is used is none that this test can find and measure."""
    tree = ast.parse(dict(modules())[name].read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
    of_re = [node for node in calls if isinstance(node.func.value, ast.Name) and node.func.value.id == "re"]  # type: ignore[attr-defined]
    made = [node for node in of_re if node.func.attr != "escape" and not _is_constant(node.args[0])]  # type: ignore[attr-defined]
    assert [node.lineno for node in made] == []


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.JoinedStr) and len(node.values) == 0)


@pytest.mark.parametrize("pattern", [r"^\s*(a)\s*\(([^)]+)\)\s*$", r"(\w+)\s*[({]x", r"(?:a+)+b", r"a.*b.*c"])
def test_a_pattern_that_backtracks_is_found(pattern: str) -> None:
    """What was seen, or could be, costs too much by this measure."""
    compiled = re.compile(pattern, re.MULTILINE)
    worst = 0.0
    for attack in ("\n", "a", "a "):
        for size in (24, LONGEST_TEXT):
            if size == LONGEST_TEXT and worst > MOST_GROWTH:
                break
            worst = max(worst, growth(lambda n, attack=attack: attack * n, compiled.search, size, 6)[0])  # type: ignore[misc]
    assert worst > MOST_GROWTH


def test_what_grows_a_little_faster_than_sorting_is_refused() -> None:
    """Not only squares: what does sqrt(n) things to each of n."""
    with pytest.raises(AssertionError, match="to the power of"):
        demand_no_worse_than_sorting(lambda n: n, lambda n: sum(range(int(n**1.5))), 1_000_000)


@pytest.mark.parametrize("work", [lambda text: sum(text), lambda text: sorted(text)], ids=["linear", "sorting"])
def test_linear_work_and_sorting_pass(work: Callable[[list[float]], object]) -> None:
    chance = random.Random(1)
    demand_no_worse_than_sorting(lambda n: [chance.random() for _ in range(n)], work, 1_000_000)


def test_linear_work_passes_while_others_have_the_processors() -> None:
    """Twice as many of them as there are processors."""
    burn = [sys.executable, "-c", "while True: sum(range(100000))"]
    others = [subprocess.Popen(burn) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        demand_no_worse_than_sorting(lambda n: b"a b " * n, lambda text: text.split(), 1_000_000)
    finally:
        for other in others:
            other.kill()
            other.wait()
