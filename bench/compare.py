"""`make bench-compare`: what two versions measured, side by side; `python -m bench.compare OLD NEW`.

Without names it compares the latest run with the one before.
"""

from __future__ import annotations

import sys

from bench.report import Row, kept, versions

SAME = 0.1
"""Share by which figures differ from run to run."""


def compare(old: list[Row], new: list[Row]) -> list[str]:
    """Return a line for each row, with what became better or worse by more than runs differ."""
    before = {row.what: row for row in old}
    lines = [_line(before.get(row.what), row) for row in new]
    gone = [f"{row.what:75} {row.value:8.2f}{row.unit} -> not measured" for row in old if row.what not in _names(new)]
    return lines + gone


def _names(rows: list[Row]) -> set[str]:
    return {row.what for row in rows}


def _line(old: Row | None, new: Row) -> str:
    missed = "" if new.reached else "  MISSED"
    if old is None:
        return f"{new.what:75}          -> {new.value:8.2f}{new.unit}  new{missed}"
    change = new.value / old.value - 1 if old.value else float("inf") if new.value else 0.0
    better = change > 0 if new.least else change < 0
    word = "as before" if abs(change) <= SAME else "better" if better else "WORSE"
    return f"{new.what:75} {old.value:8.2f} -> {new.value:8.2f}{new.unit}  {change:+.0%} {word}{missed}"


def main(words: list[str]) -> None:
    names = words or versions()[-2:]
    if len(names) != 2:
        raise SystemExit("two versions are compared; there are results of " + (", ".join(versions()) or "none"))
    for name in names:
        if not kept(name):
            raise SystemExit(f"there are no results of {name}; there are {', '.join(versions())}")
    print(f"{names[0]} -> {names[1]}")
    print("\n".join(compare(kept(names[0]), kept(names[1]))))


if __name__ == "__main__":
    main(sys.argv[1:])
