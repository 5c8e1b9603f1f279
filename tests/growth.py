"""How the cost of reading grows with what is read, so that a machine that is busy or slow tells the same.

A cost is the processor time of this process, whose threads may share the work: the least of several runs, since others
only ever add to it. Instructions would be counted more exactly, but no container lets its processes count them. Sizes
are doubled until one costs so much that what grows fastest in it shows, or is the largest that is read at all; then
the last one is compared with the smallest whose cost can be told. Growth is the exponent between the two: 1 of what
is linear, up to 1.2 of n log n, 1.5 of n * sqrt(n). The sizes of linear work are then a hundred times apart, so that
it has to cost five times too much to be refused: a cache that its input outgrows, as libxml2's table of attributes
does, takes four. The least of TRIES counts, since what a busy machine adds differs each time, while an algorithm is as
bad each time.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
ENOUGH = 0.12
"""Seconds of a cost that is compared."""
NOISE = 0.0005
"""Seconds below which a cost is not told from nothing."""
MOST_GROWTH = 1.35
"""The exponent that is allowed."""
RUNS, TRIES = 3, 3


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
    """Return the exponent by which costs grow up to the largest size, and that size."""
    costs: list[float] = []
    size = first
    while True:
        made = make(size)
        costs.append(cost(lambda made=made: read(made)))  # type: ignore[misc]
        if len(costs) > 2 and ((costs[-1] >= ENOUGH and len(costs) > 4) or 2 * size > most):
            return _exponent(costs), size
        size *= 2


def _exponent(costs: list[float]) -> float:
    """Return that between the last cost and the first that can be told, two doublings apart at least."""
    first = next((number for number, seconds in enumerate(costs) if seconds >= NOISE), len(costs))
    first = min(first, len(costs) - 3)
    return math.log2(max(costs[-1], NOISE) / max(costs[first], NOISE)) / (len(costs) - 1 - first)


def demand_no_worse_than_sorting(make: Callable[[int], T], read: Callable[[T], object], most: int) -> None:
    """Fail when the cost grows clearly faster than n log n. ``most`` is the largest size that is read at all."""
    first = min(32, max(1, most // 16))
    exponents: list[float] = []
    for _ in range(TRIES):
        exponent, size = growth(make, read, most, first)
        exponents.append(round(exponent, 2))
        if exponent <= MOST_GROWTH:
            return
    raise AssertionError(f"the cost of n units grows with n to the power of {exponents}, up to {size} units")
