"""`$filter`: text to an expression tree, typed by the declaration of the filtered resource (DSP0263 4.1.6.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import LarkError, VisitError

from gateway.cimi.dialects import bare_term, verb_of
from gateway.errors import Invalid

LONGEST = 4096
DEEPEST = 64
"""Parts and parentheses of one expression, and of all together."""
MOST_LEVELS = 20
"""Changes between ``and`` and ``or`` on the way down to a part: SQLite's parser has no room for many more."""
MOST_FILTERS = 16
LARGEST = 2**63 - 1

Value = int | bool | str | datetime


class AttributeType(StrEnum):
    """A way in which the values of an attribute compare."""

    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE = "date"
    STRING = "string"
    REFERENCE = "reference"
    ACTION = "action"
    """An action's URI, kept as its verb."""
    DURATION = "duration"
    TERM = "term"
    """A word of the standard's, as URI; kept bare."""
    UNKNOWN = "unknown"
    """The resource has no such attribute, or it does not compare: the comparison is false."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attribute that is compared with a value."""

    attribute: str
    operator: str
    value: Value
    type: AttributeType = AttributeType.UNKNOWN


@dataclass(frozen=True, slots=True)
class PropertyComparison:
    """A comparison that is true when the property exists and its value compares so."""

    key: str
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class And:
    """Two expressions that must both hold."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Or:
    """Two expressions one of which must hold."""

    left: Expression
    right: Expression


Expression = Comparison | PropertyComparison | And | Or
MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
ORDERED = frozenset({AttributeType.INTEGER, AttributeType.DATE})


@lru_cache
def _grammar() -> Lark:
    text = resources.files("gateway.cimi").joinpath("filter.lark").read_text()
    return Lark(text, parser="lalr", lexer="contextual", maybe_placeholders=False)


def parse(text: str, types: dict[str, AttributeType], base: str = "") -> Expression:
    """Return the expression that ``text`` says, checked against the attributes' types.

    ``base`` is cut off the front of values that are compared with references, so that they are paths. Raises
    Invalid, naming $filter, for a syntax error or a comparison that makes no sense.
    """
    if len(text) > LONGEST:
        raise Invalid(f"longer than {LONGEST} characters", "$filter")
    if text.count("(") > DEEPEST or len(re.findall(r"\b(?:and|or)\b", text)) > DEEPEST:
        raise Invalid(f"more than {DEEPEST} parts or parentheses", "$filter")
    try:
        tree = _grammar().parse(text)
        expression: Expression = _Builder(types, base).transform(tree)
    except VisitError as error:
        raise Invalid(str(error.orig_exc), "$filter") from None
    except LarkError as error:
        column = getattr(error, "column", None)
        place = f" at character {column}" if isinstance(column, int) and column > 0 else ""
        raise Invalid(f"not a filter expression{place}: {text[:200]}", "$filter") from None
    if levels(expression) > MOST_LEVELS:
        raise Invalid(f"and and or are nested in each other more than {MOST_LEVELS} times", "$filter")
    return expression


def parse_all(texts: list[str], types: dict[str, AttributeType], base: str = "") -> tuple[Expression, ...]:
    """Return the expressions of several ``$filter`` parameters, bounded together. Raises Invalid as ``parse`` does."""
    if len(texts) > MOST_FILTERS:
        raise Invalid(f"stands {len(texts)} times; at most {MOST_FILTERS} are allowed", "$filter")
    if sum(len(re.findall(r"\b(?:and|or)\b", text)) for text in texts) > DEEPEST:
        raise Invalid(f"more than {DEEPEST} parts or parentheses", "$filter")
    return tuple(parse(text, types, base) for text in texts)


def operands(expression: And | Or) -> list[Expression]:
    """Return what one word joins, in order, however it was nested: of ``a and (b and c)`` all three."""
    pending: list[Expression] = [expression]
    joined: list[Expression] = []
    while pending:
        entry = pending.pop()
        if isinstance(entry, And | Or) and type(entry) is type(expression):
            pending += [entry.right, entry.left]
        else:
            joined.append(entry)
    return joined


def levels(expression: Expression) -> int:
    """Return how often ``and`` and ``or`` change on the way down."""
    if not isinstance(expression, And | Or):
        return 0
    return 1 + max(levels(entry) for entry in operands(expression))


class _Builder(Transformer[Token, Any]):
    """A maker of expressions from the grammar's trees; its methods are named by the grammar's rules."""

    def __init__(self, types: dict[str, AttributeType], base: str) -> None:
        super().__init__()
        self._types = types
        self._base = base

    def disjunction(self, parts: list[Any]) -> Expression:
        """Return what ``or`` joins."""
        return parts[0] if len(parts) == 1 else Or(parts[0], parts[1])

    def conjunction(self, parts: list[Any]) -> Expression:
        """Return what ``and`` joins."""
        return parts[0] if len(parts) == 1 else And(parts[0], parts[1])

    def group(self, parts: list[Any]) -> Expression:
        """Return what stands in parentheses."""
        inner: Expression = parts[0]
        return inner

    def straight(self, parts: list[Any]) -> Expression:
        """Return a comparison whose attribute stands first."""
        name, operator, value = parts
        return self._compare(str(name), str(operator), value)

    def reversed(self, parts: list[Any]) -> Expression:
        """Return a comparison whose value stands first."""
        value, operator, name = parts
        return self._compare(str(name), MIRRORED[str(operator)], value)

    def property(self, parts: list[Any]) -> Expression:
        """Return a comparison of a property. Raises ValueError for an order, which properties have not."""
        key, operator, value = (str(part) for part in parts)
        if operator not in ("=", "!="):
            raise ValueError(f"properties compare with = and != only, not {operator}")
        return PropertyComparison(_unquote(key), operator, _unquote(value))

    def date(self, parts: list[Any]) -> Value:
        """Return the moment of a date."""
        return parse_date(str(parts[0]))

    def integer(self, parts: list[Any]) -> Value:
        """Return the number of an integer."""
        return _integer(str(parts[0]))

    def string(self, parts: list[Any]) -> Value:
        """Return the text between quotes."""
        return _unquote(str(parts[0]))

    def true(self, _parts: list[Any]) -> Value:
        """Return True."""
        return True

    def false(self, _parts: list[Any]) -> Value:
        """Return False."""
        return False

    def _compare(self, attribute: str, operator: str, value: Value) -> Comparison:
        kind = self._types.get(attribute, AttributeType.UNKNOWN)
        if kind is AttributeType.UNKNOWN:
            return Comparison(attribute, operator, value)
        if operator not in ("=", "!=") and kind not in ORDERED:
            raise ValueError(f"{attribute} is a {kind.value}: it compares with = and != only, not {operator}")
        converted = _convert(attribute, value, kind)
        if kind is AttributeType.REFERENCE and self._base and isinstance(converted, str):
            converted = converted.removeprefix(self._base)
        if kind is AttributeType.TERM:
            converted = bare_term(str(converted))
        return Comparison(attribute, operator, converted, kind)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _integer(text: str) -> int:
    if len(text) > 19 or int(text) > LARGEST:
        raise ValueError(f"the number {text[:40]} is too large")
    return int(text)


def parse_date(text: str) -> datetime:
    """Return a date or dateTime in UTC; without a time the start of the day, without a zone UTC.

    A blank stands for the plus sign which form decoding took away.
    """
    head, tail = text[:10], text[10:].replace(" ", "+")
    try:
        if not tail.startswith("T"):
            zone = tail.replace("Z", "+00:00") or "+00:00"
            return datetime.fromisoformat(f"{head}T00:00:00{zone}").astimezone(UTC)
        moment = datetime.fromisoformat(head + tail)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:60]} is not a date or dateTime") from None


def _convert(attribute: str, value: Value, kind: AttributeType) -> Value:
    """Return the literal as a value of the attribute's type. Raises ValueError when it cannot be one."""
    wrong = f"{attribute} is a {kind.value}, and {value!r} is none"
    if kind is AttributeType.BOOLEAN:
        if isinstance(value, bool):
            return value
        if value in ("true", "false"):
            return value == "true"
        raise ValueError(wrong)
    if kind is AttributeType.INTEGER:
        return _as_integer(value, wrong)
    if kind is AttributeType.DATE:
        if isinstance(value, datetime):
            return value
        return parse_date(str(value))
    return verb_of(_as_text(value)) if kind is AttributeType.ACTION else _as_text(value)


def _as_integer(value: Value, wrong: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
        return int(value)
    raise ValueError(wrong)


def _as_text(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, datetime) else str(value)
