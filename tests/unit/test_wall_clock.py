"""The wall clock may jump: what is written down is dated by ``gateway.clock``, which does not believe it at once."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source import ROOT

WALL = {
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
"""Names that read the wall clock, by the module or class that has them."""
ALLOWED = {
    "gateway/clock.py": "is where the wall clock is judged",
    "drivers/libvirt/statistics.py": "dates readings; drivers know no gateway, and meters compare only two readings",
    "drivers/libvirt/snapshots.py": "tells libvirt when a snapshot was made, by the clock that libvirt goes by itself",
    "drivers/memory/statistics.py": "does as the libvirt driver does",
}


def wall_clocks(source: str) -> Iterator[str]:
    """Yield each name by which the source reads the wall clock, with its line; calls and mere references alike."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if node.attr in WALL.get(owner, ()):
                yield f"{node.lineno}: {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"{node.lineno}: {name.name}" for name in node.names if name.name in WALL["time"])


def sources() -> Iterator[Path]:
    for package in ("gateway", "drivers"):
        yield from sorted((ROOT / package).rglob("*.py"))


def test_nothing_reads_the_wall_clock_but_what_has_a_reason() -> None:
    reading = [
        f"{path.relative_to(ROOT)}:{place}"
        for path in sources()
        if str(path.relative_to(ROOT)) not in ALLOWED
        for place in wall_clocks(path.read_text())
    ]
    assert reading == []


@pytest.mark.parametrize("name", ALLOWED)
def test_what_has_a_reason_still_reads_it(name: str) -> None:
    assert list(wall_clocks((ROOT / name).read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "time.time()",
        "default = time.time",
        "from time import time",
        "date.today()",
    ],
)
def test_every_way_of_reading_it_is_seen(source: str) -> None:
    assert len(list(wall_clocks(source))) == 1
