"""Measures of a driver's calls, for those who watch over the gateway."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CallObserver = Callable[[str, float, bool], None]
"""Called on the asyncio loop after each call: the connection it used, seconds, whether it succeeded."""


@dataclass(frozen=True, slots=True)
class Load:
    """The calls on one connection to the hypervisor: how many run now, and how many wait for their turn."""

    connection: str
    running: int
    waiting: int
