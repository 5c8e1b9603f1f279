"""Rows of the result, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """``least`` tells whether the bound is a minimum."""

    what: str
    value: float
    bound: float
    unit: str = ""
    least: bool = False

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound


def show(rows: list[Row]) -> bool:
    """Print a part of the table; True when every bound of it is reached."""
    for row in rows:
        word = "at least" if row.least else "at most"
        verdict = "ok" if row.reached else "MISSED"
        print(f"{row.what:70} {row.value:8.2f}{row.unit}  ({word} {row.bound:g}{row.unit})  {verdict}", flush=True)
    return all(row.reached for row in rows)
