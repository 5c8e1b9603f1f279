"""Text as XML text and attribute values, escaped."""

from __future__ import annotations

import re

NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, and which therefore no CIMI string may hold."""

_FORBIDDEN = dict.fromkeys((*range(0x20), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF), "\ufffd")
# What we say may quote what a client or a hypervisor said; it must never break the document.
_TEXT = _FORBIDDEN | str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "\n", "\t": "\t"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def element_text(text: str) -> str:
    """Return text as it stands in an element."""
    return text.translate(_TEXT)


def attribute_text(text: str) -> str:
    """Return text as it stands in an attribute's quotes."""
    return text.translate(_ATTRIBUTE)
