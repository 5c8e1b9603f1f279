"""Bounds of the documents that clients send: one place for both formats, asked before any schema sees a document."""

from __future__ import annotations

from typing import Any

from gateway.cimi.xml_text import NOT_XML
from gateway.errors import Invalid

DEEPEST = 32
"""Levels of nesting."""
MOST_NODES = 10_000
"""Members and entries of one document, all levels together; in XML elements and XML attributes."""
MOST_ENTRIES = 1_000
"""Members of one object, or entries of one array."""
LONGEST_TEXT = 65_536
"""Characters of a string that has no bound of its own."""
LONGEST_NAME = 8_192
"""Characters of a resource's name, and of a property's key."""
LIGHT = 128
"""Marks of structure up to which a document is read in less time than a turn of another thread takes."""


def light(body: bytes) -> bool:
    """Return whether ``body`` has so little structure that the event loop itself may read it."""
    return len(body) <= LONGEST_TEXT // 4 and sum(body.count(mark) for mark in (b"{", b",", b"[", b"<", b"=")) <= LIGHT


def demand_bounded(document: dict[str, Any], language: str) -> None:
    """Refuse a document that is too deep or too large, or holds characters that no XML client could be shown.

    ``language`` is JSON or XML, for the words of the Invalid that is raised. Costs linear time, and no recursion.
    """
    nodes = 0
    pending: list[tuple[Any, int, str]] = [(document, 1, "")]
    while pending:
        value, depth, name = pending.pop()
        if isinstance(value, str):
            _demand_characters(value, name)
            continue
        if not isinstance(value, dict | list):
            continue
        if depth > DEEPEST:
            raise Invalid(f"the {language} is nested deeper than {DEEPEST} levels")
        nodes += len(value)
        _demand_few(value, nodes, name, language)
        if isinstance(value, dict):
            for key in value:
                _demand_name(key, name)
            pending.extend((entry, depth + 1, name or key) for key, entry in value.items())
        else:
            pending.extend((entry, depth + 1, name) for entry in value)


def _demand_few(value: dict[str, Any] | list[Any], nodes: int, name: str, language: str) -> None:
    if len(value) > MOST_ENTRIES:
        raise Invalid(f"has {len(value)} entries or members; at most {MOST_ENTRIES} are allowed", name or None)
    if nodes > MOST_NODES:
        raise Invalid(f"the {language} has more than {MOST_NODES} members and entries")


def _demand_characters(text: str, name: str) -> None:
    if NOT_XML.search(text):
        raise Invalid("holds a control character, which CIMI strings cannot", name or None)


def _demand_name(key: str, name: str) -> None:
    if NOT_XML.search(key):
        raise Invalid(f"the name {key[:60]!r} holds a control character", name or None)
