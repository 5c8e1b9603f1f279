"""Write golden files: ``python -m tests.golden.make plans``, ``documents`` or ``store``. CONTRIBUTING.md says when.

Plans and stores are only added: a scenario whose plans have changed gets one more file, and what was written before
stays as it is, since what an earlier version has stored must be read for ever. Documents are written over.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import structlog

from tests.golden.documents import DOCUMENTS, served, write
from tests.golden.plans_of import PLANS, files_of, played, read, written
from tests.golden.scenarios import SCENARIOS
from tests.golden.stores import add


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


async def make_documents() -> None:
    with tempfile.TemporaryDirectory() as home:
        write(await served(Path(home)))
    tell(DOCUMENTS)


async def make_store() -> None:
    with tempfile.TemporaryDirectory() as home:
        result = await served(Path(home))
    tell(add(result.store, result.places))


MAKERS = {"plans": make_plans, "documents": make_documents, "store": make_store}

if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for name in sys.argv[1:] or sys.exit(f"say what to write: {', '.join(MAKERS)}"):
        asyncio.run(MAKERS[name]())
