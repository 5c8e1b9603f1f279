"""A reader of what strangers write, as the tests of costs know it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from drivers.base import DriverInvalid
from drivers.confined.errors import Unreadable
from gateway.errors import GatewayError

REFUSALS = (DriverInvalid, Unreadable, GatewayError, OSError)
"""A reader may refuse what it reads, as long as that costs no more."""


@dataclass(frozen=True)
class Reader:
    """``make(n)`` is input of n units, ``most`` the largest that is read at all, or more than anyone sends."""

    name: str
    modules: tuple[str, ...]
    make: Callable[[int], Any]
    read: Callable[[Any], Any]
    most: int

    def attempt(self, made: Any) -> None:
        with suppress(*REFUSALS):
            self.read(made)
