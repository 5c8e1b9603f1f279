"""The order of strings: binary, of what NFKD makes of them (DSP0263 4.1.6, $orderby)."""

from __future__ import annotations

import unicodedata

FUNCTION = "nfkd"
"""Its name in SQL; every connection to the store knows it."""


def sort_key(text: str | None) -> str | None:
    """Return the key by which a text is sorted; None and other values are returned as they are.

    Letters that differ in composition, width or style alone are the same.
    """
    return unicodedata.normalize("NFKD", text) if isinstance(text, str) else text
