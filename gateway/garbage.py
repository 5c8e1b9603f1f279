"""Python's collection of garbage, which holds up the event loop for as long as it looks at all objects there are."""

from __future__ import annotations

import gc

SELDOM = 50
"""Collections of the middle generation between two of everything; Python's own number is 10."""


def spare_what_is_there() -> None:
    """Take what the process has by now for permanent, and look at the rest more seldom.

    A start leaves some 100,000 objects, declarations and code, of which none is ever garbage. To look at them takes
    50 ms or more at a time, in which no request is served.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, SELDOM)
