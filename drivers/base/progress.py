"""The progress of a long call."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with done and total bytes (or any unit); may be called from the event loop only."""
