"""Text of others as it may be shown on a terminal: it moves no cursor, and makes no line."""

from __future__ import annotations

import json
import re

from cimi_client.json_types import Json

UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: the second has a one-character form of the escape sequences
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of writing
    "\ud800-\udfff\ufffe\uffff]"  # what is no character
)
SPACES = frozenset("\t\n\r")
REPLACEMENT = "?"


def printable(text: str) -> str:
    """Return the text on one line: tabs and line ends become spaces, other control characters question marks."""
    return UNPRINTABLE.sub(lambda match: " " if match.group() in SPACES else REPLACEMENT, text)


def printable_lines(text: str) -> str:
    """Return the text with its lines and tabs, and every other control character as a question mark."""
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in _lines(text))


def printable_json(document: Json, indent: int | None = None) -> str:
    """Return the document as JSON, with control characters as the escapes that JSON has for them."""
    written = json.dumps(document, ensure_ascii=False, indent=indent)
    return UNPRINTABLE.sub(lambda match: match.group() if match.group() == "\n" else _escape(match.group()), written)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
