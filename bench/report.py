"""Rows of the result: how they are printed, and how they are kept as files by version."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
UNRELEASED = "unreleased"
"""Version of what is not released yet; `make bench VERSION=...` says another one."""


@dataclass(frozen=True)
class Row:
    """A figure and its bound, which is a minimum where ``least``; ``details`` are what the figure was made from."""

    what: str
    value: float
    bound: float
    unit: str = ""
    least: bool = False
    details: str = ""

    @property
    def reached(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound

    @property
    def text(self) -> str:
        word = "at least" if self.least else "at most"
        verdict = "ok" if self.reached else "MISSED"
        return f"{self.what:75} {self.value:8.2f}{self.unit}  ({word} {self.bound:g}{self.unit})  {verdict}"


def show(rows: list[Row]) -> bool:
    """Print a part of the table; True when every bound of it is reached."""
    for row in rows:
        print(f"{row.text}  {row.details}".rstrip(), flush=True)
    return all(row.reached for row in rows)


def keep(rows: Iterable[Row], version: str) -> None:
    """Write the rows into the file of the version, beside those of other measures that are there already."""
    RESULTS.mkdir(exist_ok=True)
    before = {row.what: row for row in kept(version)}
    before.update({row.what: row for row in rows})
    document = {**_circumstances(), "rows": [asdict(row) for row in before.values()]}
    _file(version).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def kept(version: str) -> list[Row]:
    """Return the rows in the file of a version, none where there is no file."""
    file = _file(version)
    return [Row(**row) for row in json.loads(file.read_text())["rows"]] if file.exists() else []


def versions() -> list[str]:
    """Return the versions of which there are results, the oldest run first."""
    files = sorted(RESULTS.glob("*.json"), key=lambda file: str(json.loads(file.read_text())["measured"]))
    return [file.stem for file in files]


def _file(version: str) -> Path:
    return RESULTS / f"{version}.json"


def _circumstances() -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }
