"""How the cost of reading grows with what is read, so that a machine that is busy or slow tells the same.

A cost is the processor time of this process, whose threads may share the work: the least of several runs. Sizes are
doubled until one costs so much that what grows fastest in it shows, or is the largest that is read at all; then the
last one is compared with a quarter of it.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
ENOUGH = 0.12
"""Seconds of a cost that is compared."""
NOISE = 0.002
"""Seconds below which a cost is not told from nothing."""
MOST_GROWTH = 9.0
"""By which a cost may grow when its size grows four times: n log n grows by 5, n * n by 16."""
RUNS = 3


def cost(work: Callable[[], object]) -> float:
    """Return the seconds of processor time that the work takes."""
    least = float("inf")
    was_on = gc.isenabled()
    gc.disable()
    try:
        for _ in range(RUNS):
            began = time.process_time()
            work()
            least = min(least, time.process_time() - began)
            if least > ENOUGH * 3:
                break
    finally:
        if was_on:
            gc.enable()
    return least


def growth(make: Callable[[int], T], read: Callable[[T], object], most: int, first: int = 32) -> tuple[float, int]:
    """Return how many times more the largest size costs than a quarter of it, and that size."""
    costs: list[float] = []
    size = min(first, max(1, most // 4))
    while True:
        made = make(size)
        costs.append(cost(lambda made=made: read(made)))  # type: ignore[misc]
        if len(costs) > 2 and (costs[-1] >= ENOUGH or 2 * size > most):
            return costs[-1] / max(costs[-3], NOISE), size
        size *= 2


def demand_no_worse_than_sorting(make: Callable[[int], T], read: Callable[[T], object], most: int) -> None:
    """Fail when the cost grows clearly faster than n log n. ``most`` is the largest size that is read at all."""
    found, size = growth(make, read, most)
    if found > MOST_GROWTH:
        # Once more: a processor that changed its speed meanwhile does not do so twice.
        found, size = growth(make, read, most)
    assert found <= MOST_GROWTH, f"four times the input costs {found:.1f} times as much, at {size} units"
