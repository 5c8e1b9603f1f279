"""Filter expressions as SQL with bound parameters, and the indexes that seek what they compare (DSP0263 4.1.6.1).

Each comparison has two spellings: one that may seek in an index, and one, with a unary plus, that may not. Of a
filter one part at most seeks; the others are only checked. So SQLite never has to guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeGuard

from gateway.cimi.fields import Attribute, Enumeration
from gateway.cimi.filter import And, AttributeType, Comparison, Expression, Or, PropertyComparison, operands
from gateway.cimi.registry import TYPES
from gateway.cimi.resource_type import ResourceType
from gateway.clock import timestamp
from gateway.store.model import SORT_KEY, sort_key

NAME = "json_extract(document, '$.name')"
"""The name as it is written; its column holds the sort key."""
COLUMNS = {
    "name": "name",
    "state": "state",
    "created": "resources.created",
    "updated": "updated",
    "id": "resources.path",
}

IN_ORDER = frozenset({"name", "id"})
"""Strings whose operand is a sort key already, or needs none."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition for WHERE, with the values of its question marks."""

    sql: str
    parameters: tuple[Any, ...] = ()


def order_key(attribute: str, field: Attribute | None, kind: AttributeType) -> str:
    """Return the SQL of what resources are ordered by for an attribute.

    The standard's own words are their own sort keys.
    """
    sql = operand(attribute, kind)
    plain = kind is not AttributeType.STRING or attribute in IN_ORDER or isinstance(field, Enumeration)
    return sql if plain else f"{SORT_KEY}({sql})"


def operand(attribute: str, kind: AttributeType) -> str:
    """Return the SQL of an attribute's value. Attribute names come from the declarations, never from a request."""
    return COLUMNS.get(attribute) or member_of(attribute, kind)


def member_of(attribute: str, kind: AttributeType) -> str:
    """Return the SQL of an attribute's value inside the document."""
    member = f"{attribute}.href" if kind is AttributeType.REFERENCE else attribute
    return f"json_extract(document, '$.{member}')"


def parts(filters: tuple[Expression, ...]) -> list[Expression]:
    """Return the top-level conjuncts of filters, from left to right."""
    pending = list(filters)
    conjuncts: list[Expression] = []
    while pending:
        expression = pending.pop(0)
        if isinstance(expression, And):
            pending[:0] = [expression.left, expression.right]
        else:
            conjuncts.append(expression)
    return conjuncts


def condition(expression: Expression, kind: str, *, seek: bool = False) -> Condition:
    """Return the condition of a filter's expression on resources of a kind; ``seek`` lets it use an index."""
    if isinstance(expression, And | Or):
        return joined(expression, [condition(entry, kind) for entry in operands(expression)])
    if isinstance(expression, PropertyComparison):
        return _property(expression, kind, seek)
    return _comparison(expression, seek)


def joined(expression: And | Or, inner: list[Condition]) -> Condition:
    """Return the conditions of an expression's operands as one, in one pair of parentheses."""
    word = " AND " if isinstance(expression, And) else " OR "
    parameters = tuple(value for entry in inner for value in entry.parameters)
    return Condition(f"({word.join(entry.sql for entry in inner)})", parameters)


def _comparison(comparison: Comparison, seek: bool) -> Condition:
    if comparison.type is AttributeType.UNKNOWN:
        return Condition("0")
    operator = {"=": "=", "!=": "<>"}.get(comparison.operator, comparison.operator)
    if comparison.attribute == "name":
        return _name(operator, str(comparison.value), seek)
    sql = operand(comparison.attribute, comparison.type)
    return Condition(f"{sql if seek else '+' + sql} {operator} ?", (_bound(comparison.value),))


def _name(operator: str, value: str, seek: bool) -> Condition:
    """Return the condition on a name, which is compared as it is written.

    The name is sought by its sort key, which other names may share.
    """
    exact = Condition(f"{NAME} {operator} ?", (value,))
    if not seek:
        return exact
    return Condition(f"name = ? AND {exact.sql}", (sort_key(value), value))


def _bound(value: Any) -> Any:
    if isinstance(value, datetime):
        return timestamp(value)
    return int(value) if isinstance(value, bool) else value


def _property(comparison: PropertyComparison, kind: str, seek: bool) -> Condition:
    operator = "=" if comparison.operator == "=" else "<>"
    if seek:
        sql = f"found.kind = ? AND found.key = ? AND found.value {operator} ?"
        return Condition(sql, (kind, comparison.key, comparison.value))
    inner = f"SELECT 1 FROM properties AS p WHERE p.path = resources.path AND p.key = ? AND p.value {operator} ?"  # noqa: S608
    return Condition(f"EXISTS ({inner})", (comparison.key, comparison.value))


def seeks_in_order(expression: Expression) -> bool:
    """Return whether the expression is an equality, whose index gives the rows in the default order."""
    return may_seek(expression) and expression.operator == "="


def may_seek(expression: Expression) -> TypeGuard[Comparison | PropertyComparison]:
    """Return whether an index is worth its while for the expression when few rows match."""
    if isinstance(expression, PropertyComparison):
        return expression.operator == "="
    if not isinstance(expression, Comparison):
        return False
    return expression.type is not AttributeType.UNKNOWN and expression.operator != "!="


# Indexes, one for each attribute that $filter compares

OF_COLUMNS = {"name": "resources_by_name", "state": "resources_by_state"}
"""Made by the migrations, for all kinds."""
UNINDEXED = frozenset({"description", "statusMessage", "key"})


def index_of(declared: ResourceType, attribute: str) -> str | None:
    """Return the name of an attribute's index; None for an attribute that is not sought by itself."""
    if attribute in COLUMNS:
        return OF_COLUMNS.get(attribute)
    if attribute in UNINDEXED or attribute in declared.collections or attribute not in declared.filter_types:
        return None
    return f"by_{declared.kind}_{attribute}"


def index_statements() -> list[str]:
    """Return the SQL of the indexes that the declarations ask for, beside those of columns.

    The parent and the audience stand in the indexes too, so that counting reads nothing else.
    """
    return [
        f"CREATE INDEX {index_of(declared, attribute)} ON resources "
        f"({operand(attribute, kind)}, created, path, parent, audience) WHERE kind = '{declared.kind}'"
        for declared in TYPES.values()
        if not declared.series and not declared.singleton
        for attribute, kind in declared.filter_types.items()
        if attribute not in COLUMNS and index_of(declared, attribute) is not None
    ]
