"""The golden plans on disk. The newest file of a scenario is what the code makes; older ones must still run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.golden.recording import ID, Recording
from tests.golden.scenarios import SCENARIOS
from tests.golden.stage import staged

PLANS = Path(__file__).parent / "plans"
NAME = re.compile(r"(\w+)\.(\d+)\.json")


def files_of(scenario: str) -> list[Path]:
    """Return its files, the oldest first."""
    parts = [(NAME.fullmatch(path.name), path) for path in PLANS.glob("*.json")]
    numbered = [(int(match[2]), path) for match, path in parts if match is not None and match[1] == scenario]
    return [path for _, path in sorted(numbered)]


def every_file() -> list[Path]:
    return [path for scenario in SCENARIOS for path in files_of(scenario)]


def scenario_of(path: Path) -> str:
    match = NAME.fullmatch(path.name)
    assert match is not None, path
    return match[1]


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


async def played(scenario: str, home: Path, golden: dict[str, Any] | None = None) -> Recording:
    """Play a scenario, with the plans of a golden file in place of the fresh ones if there is one."""
    recording = Recording(golden["jobs"] if golden is not None else None)
    async with staged(home) as stage:
        with recording.of(stage):
            await SCENARIOS[scenario](stage)
            await stage.quiet()
        await recording.finish(stage)
    return recording


def written(recording: Recording) -> str:
    content = {"jobs": recording.entries, "after": recording.after}
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def lines_of(value: Any, at: str = "") -> Iterator[str]:
    """Give each end of a document as a line, without telling one id from another."""
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from lines_of(entry, f"{at}/{ID.sub('ID', name)}")
    elif isinstance(value, list):
        for entry in value:
            yield from lines_of(entry, at)
    else:
        yield ID.sub("ID", f"{at}: {value}")
