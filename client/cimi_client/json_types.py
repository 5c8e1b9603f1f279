"""The types of what JSON can say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
Document: TypeAlias = Mapping[str, Json]
"""A resource or a part of one, as JSON has it; XML is read into the same form."""


def documents(value: Json) -> list[Document]:
    """Return the documents of an array; those of anything else are none."""
    if not isinstance(value, list | tuple):
        return []
    return [entry for entry in value if isinstance(entry, Mapping)]


def text(value: Json) -> str:
    """Return a scalar as the text that JSON and XML have in common; anything else is empty."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""
