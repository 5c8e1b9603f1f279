"""The ways to read, declared once for both ends: what is asked, what is answered, and the function that reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, Protocol, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")
More = Callable[[int, int], Awaitable[bytes | None]]
"""The bytes at an offset, so many; None for those that are not at hand."""


class Supply(Protocol):
    """The hostile bytes as the reading process sees them. It opens nothing: what it wants to see, it asks for."""

    content: bytes
    """The bytes that came with the question."""

    def more(self, offset: int, length: int) -> bytes | None:
        """Return exactly these bytes; None when they are not at hand."""
        ...


@dataclass(frozen=True, slots=True)
class Reading(Generic[Question, Answer]):
    """A way to read. ``place`` is ``module:NAME`` of this declaration, by which the other process finds it.

    ``answer`` is the type that ``read`` returns (drivers/confined/forms.py says which there are). It refuses bytes
    by Unreadable.
    """

    place: str
    question: type[Question]
    answer: Any
    read: Callable[[Question, Supply], Answer]


def reading_at(place: str) -> Reading[Any, Any]:
    """Return the declaration at a place that a gateway named."""
    module, _colon, name = place.partition(":")
    declaration = getattr(import_module(module), name)
    if not isinstance(declaration, Reading):
        raise TypeError(f"{place} is no reading")
    return declaration
