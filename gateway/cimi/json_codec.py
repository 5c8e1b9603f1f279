"""JSON text to raw documents and back (DSP0263 5.3)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from gateway.cimi.bounds import DEEPEST, MOST_NODES, demand_bounded
from gateway.errors import Invalid

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""Made once: ``json.dumps`` would make one for each value."""


def decode(body: bytes) -> dict[str, Any]:
    """Return the JSON object in ``body``. Raises Invalid, saying where, for what is none or cannot be CIMI."""
    count = _Count()
    try:
        text = body.decode("utf-8-sig")
        _demand_few_lists(text)
        document = json.loads(text, object_pairs_hook=count.unique, parse_constant=_no_constant, parse_float=_no_float)
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
    demand_bounded(document, "JSON")
    return document


def encode(document: dict[str, Any]) -> bytes:
    """Return the JSON of a document, its longest values entry by entry.

    The encoder keeps the interpreter's lock for as long as one call takes: encoded whole, a long answer would hold up
    all other threads, whichever thread encodes it.
    """
    members = [_text(name) + b":" + _value(value) for name, value in document.items()]
    return b"{" + b",".join(members) + b"}"


class Ready(bytes):
    """JSON that is encoded already: an entry of a document, or of an array in it."""

    __slots__ = ()


def ready_reference(href: str, target: bytes) -> Ready:
    """Return an expanded reference: the document of its target, with the ``href`` before the other members."""
    return Ready(b'{"href":' + _text(href) + b"," + target[1:])


def _value(value: Any) -> bytes:
    return b"[" + b",".join(map(_text, value)) + b"]" if isinstance(value, list) else _text(value)


def _text(value: Any) -> bytes:
    if isinstance(value, Ready):
        return value
    return _ENCODER.encode(value).encode("utf-8", "replace")


def _demand_few_lists(text: str) -> None:
    """Refuse more arrays than there may be nodes, before the parser builds them, which nothing can interrupt.

    Brackets in strings are not counted; these are looked at only where there are many brackets. The cost is linear.
    """
    if text.count("[") <= MOST_NODES:
        return
    outside = text.replace("\\\\", "").replace('\\"', "").split('"')[0::2]
    if sum(part.count("[") for part in outside) > MOST_NODES:
        raise Invalid(f"the JSON has more than {MOST_NODES} members and entries, or is nested deeper than {DEEPEST}")


class _Count:
    """A count of members while the text is still being read: what is too much is not built first."""

    def __init__(self) -> None:
        self._members = 0

    def unique(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Return the object of these members. Raises Invalid for too many, ValueError for one that stands twice."""
        self._members += len(pairs) + 1
        if self._members > MOST_NODES:
            raise Invalid(f"the JSON has more than {MOST_NODES} members and entries")
        members: dict[str, Any] = {}
        for name, value in pairs:
            if name in members:
                raise ValueError(f"the member {name[:60]!r} stands twice")
            members[name] = value
        return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _no_float(text: str) -> NoReturn:
    raise ValueError(f"{text[:40]} is no integer, and CIMI has no other numbers")
