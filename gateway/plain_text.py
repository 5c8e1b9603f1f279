"""Text of others as it may be shown on a terminal and kept in both formats: it moves no cursor and makes no line."""

from __future__ import annotations

import json
import re
from typing import Any

UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL and C1: the second has a one-character form of the escape sequences
    "\u2028\u2029"  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of writing
    "\ud800-\udfff\ufffe\uffff]"  # what is no character, and not in XML
)
SPACES = frozenset("\t\n\r")
REPLACEMENT = "?"


def printable(text: str) -> str:
    """Return the text on one line: tabs and line ends become spaces, other control characters question marks."""
    return UNPRINTABLE.sub(lambda match: " " if match.group() in SPACES else REPLACEMENT, text)


def printable_json(document: Any) -> str:
    """Return the document as JSON on one line, with control characters as the escapes that JSON has for them."""
    text = json.dumps(document, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
