"""Entries that stand in memory and not in the store, listed by the same questions as resources."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.cimi.filter import And, AttributeType, Comparison, Expression, Or, PropertyComparison
from gateway.store.model import Page, Query, Resource


def page_of(entries: Iterable[Resource], query: Query) -> Page:
    """Return the page of the entries that the query asks for; texts alone are compared."""
    matching = [entry for entry in entries if all(_matches(part, entry) for part in query.filters)]
    for key in reversed(query.order):
        matching.sort(key=lambda entry: str(entry.document.get(key.attribute)), reverse=key.descending)
    return Page(tuple(matching[query.first - 1 : query.last]), len(matching))


def _matches(expression: Expression, entry: Resource) -> bool:
    if isinstance(expression, And):
        return _matches(expression.left, entry) and _matches(expression.right, entry)
    if isinstance(expression, Or):
        return _matches(expression.left, entry) or _matches(expression.right, entry)
    if isinstance(expression, PropertyComparison):
        return False
    return _compares(expression, entry)


def _compares(comparison: Comparison, entry: Resource) -> bool:
    value = entry.path if comparison.attribute == "id" else entry.document.get(comparison.attribute)
    if comparison.type is AttributeType.UNKNOWN or not isinstance(value, str):
        return False
    return (value == comparison.value) == (comparison.operator == "=")
