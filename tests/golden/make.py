"""Write golden files: ``python -m tests.golden.make plans`` (CONTRIBUTING.md says when).

Golden plans are only added: a scenario whose plans have changed gets one more file, and the older ones stay.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from tests.golden.plans_of import PLANS, files_of, played, read, written
from tests.golden.scenarios import SCENARIOS


async def make_plans() -> None:
    PLANS.mkdir(exist_ok=True)
    for scenario in SCENARIOS:
        with tempfile.TemporaryDirectory() as home:
            recording = await played(scenario, Path(home))
        older = files_of(scenario)
        if older and [entry["plan"] for entry in read(older[-1])["jobs"]] == recording.fresh:
            continue
        path = PLANS / f"{scenario}.{len(older) + 1}.json"
        path.write_text(written(recording))
        tell(path)


def tell(path: Path) -> None:
    sys.stdout.write(f"wrote {path}\n")


MAKERS = {"plans": make_plans}

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    for name in sys.argv[1:] or sys.exit(f"say what to write: {', '.join(MAKERS)}"):
        asyncio.run(MAKERS[name]())
