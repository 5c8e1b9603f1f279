"""`make bench`: every row of the table, each against its baseline."""

from __future__ import annotations

import asyncio

from bench import addresses, events, images, machines, meters, networks, overlay, pages, reads, size
from bench.report import Row, show


def main() -> None:
    rows: list[Row] = [
        *asyncio.run(reads.measure()),
        *asyncio.run(pages.measure()),
        *asyncio.run(pages.measure_volumes()),
        *asyncio.run(events.measure()),
        *asyncio.run(addresses.measure()),
        *asyncio.run(meters.measure()),
        *size.measure(),
        *machines.measure(),
        *overlay.measure(),
        *images.measure(),
        *networks.measure(),
    ]
    raise SystemExit(0 if show(rows) else 1)


main()
