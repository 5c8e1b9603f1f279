"""JSON text to raw documents and back (DSP0263 5.3)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from gateway.cimi.xml_text import NOT_XML
from gateway.errors import Invalid

DEEPEST = 32


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``. Raises Invalid, saying where, for everything that is none or cannot be CIMI."""
    try:
        document = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_no_float
        )
    except UnicodeDecodeError:
        raise Invalid("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Invalid(f"malformed JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise Invalid(f"the JSON is nested deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise Invalid(f"malformed JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise Invalid("the body must be a JSON object")
    _check(document)
    return document


def encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the member {twice[:60]!r} stands twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no integer, and CIMI has no other numbers")


def _check(document: dict[str, Any]) -> None:
    """Depth, and characters that no XML client could be shown; without recursion."""
    pending: list[tuple[Any, int, str]] = [(document, 1, "")]
    while pending:
        value, depth, name = pending.pop()
        if depth > DEEPEST:
            raise Invalid(f"the JSON is nested deeper than {DEEPEST} levels")
        if isinstance(value, str) and NOT_XML.search(value):
            raise Invalid("holds a control character, which CIMI strings cannot", name or None)
        if isinstance(value, dict):
            bad = next((key for key in value if NOT_XML.search(key)), None)
            if bad is not None:
                raise Invalid(f"the name {bad[:60]!r} holds a control character", name or None)
            pending.extend((entry, depth + 1, name or key) for key, entry in value.items())
        elif isinstance(value, list):
            pending.extend((entry, depth + 1, name) for entry in value)
