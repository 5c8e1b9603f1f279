"""`make bench`: every row of the table against its baseline; `python -m bench machines ...` measures only these.

The rows are kept in `bench/results`, in the file of the version that the environment's VERSION says.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable

import structlog

from bench import (
    access,
    addresses,
    client,
    events,
    holds,
    images,
    machines,
    meters,
    networks,
    overlay,
    packages,
    pages,
    quotas,
    reads,
    size,
    systems,
)
from bench.report import UNRELEASED, Row, keep, show

MEASURES: dict[str, Callable[[], list[Row]]] = {
    "reads": lambda: asyncio.run(reads.measure()),
    "access": lambda: asyncio.run(access.measure()),
    "holds": lambda: asyncio.run(holds.measure()),
    "pages": lambda: asyncio.run(pages.measure()),
    "volumes": lambda: asyncio.run(pages.measure_volumes()),
    "events": lambda: asyncio.run(events.measure()),
    "addresses": lambda: asyncio.run(addresses.measure()),
    "meters": lambda: asyncio.run(meters.measure()),
    "quotas": lambda: asyncio.run(quotas.measure()),
    "fairness": quotas.measure_fairness,
    "client": lambda: asyncio.run(client.measure()),
    "size": size.measure,
    "machines": machines.measure,
    "overlay": overlay.measure,
    "images": images.measure,
    "networks": networks.measure,
    "systems": systems.measure,
    "packages": packages.measure,
}


def main(names: list[str]) -> None:
    """Run the named measures, or all; print each result as soon as there is one."""
    unknown = sorted({*names} - {*MEASURES})
    if unknown:
        raise SystemExit(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    reached = [_measured(name) for name in names or MEASURES]
    raise SystemExit(0 if all(reached) else 1)


def _measured(name: str) -> bool:
    rows = MEASURES[name]()
    keep(rows, os.environ.get("VERSION") or UNRELEASED)
    return show(rows)


main(sys.argv[1:])
