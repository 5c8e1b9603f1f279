"""Servers that take requests for others than they are, each with the checks that have to find it."""

from __future__ import annotations

from tests.conformance.mutating import unseen, without, without_header
from tests.conformance.proxy import Answered, Asked, Mutation


def _deletes_nothing(asked: Asked) -> Answered | None:
    return Answered(200) if asked.method == "DELETE" else None


def _stops_nothing(asked: Asked) -> Answered | None:
    return Answered(200) if asked.method == "POST" and asked.path.endswith("/stop") else None


def _minds_unknown_parameters(asked: Asked) -> Answered | None:
    known = ("$filter", "$first", "$last", "$select", "$expand", "$format", "$orderby")
    return Answered(400) if any(name not in known for name, _value in asked.query) else None


def _minds_a_missing_type(asked: Asked) -> Answered | None:
    return Answered(400) if asked.method == "PUT" and b"resourceURI" not in asked.body else None


def _forgets_description(asked: Asked) -> None:
    if asked.method == "PUT" and not asked.query:
        unseen("description")(asked)


def _whole_update(asked: Asked) -> None:
    if asked.method == "PUT":
        asked.drop("$select")


def _last_but_one(asked: Asked) -> None:
    """Positions counted from 0."""
    asked.query = [(name, str(int(value) + 1) if name == "$first" else value) for name, value in asked.query]


def _case(asked: Asked) -> None:
    """Names in any case."""
    asked.query = [(name, value.lower() if name == "$select" else value) for name, value in asked.query]


MISREAD_REQUESTS = (
    Mutation(
        "unknown attributes are taken",
        ("unknown-attribute-in-a-create", "unknown-attribute-in-an-update", "unknown-attribute-in-a-template"),
        request=unseen("nonsense"),
    ),
    Mutation("Accept is ignored", ("accept-is-honoured",), request=without_header("accept")),
    Mutation("unknown parameters are refused", ("query-unknown-is-ignored",), refuse=_minds_unknown_parameters),
    Mutation(
        "$filter is ignored",
        ("filter-string-equals", "filter-integers", "filter-property", "filter-count", "capability-filter-parameter"),
        request=without("$filter"),
    ),
    Mutation(
        "of several $filter one counts",
        ("filter-several",),
        request=lambda asked: setattr(asked, "query", list(dict(asked.query).items())),
    ),
    Mutation(
        "$select is ignored",
        ("select-of-a-resource", "select-of-items", "capability-select-parameter"),
        request=without("$select"),
    ),
    Mutation("names in any case", ("identifiers-mind-their-case",), request=_case),
    Mutation(
        "$expand is ignored", ("expand-a-collection", "expand-all", "expand-of-items"), request=without("$expand")
    ),
    Mutation(
        "$first and $last are ignored",
        ("page-range", "page-last", "capability-first-parameter"),
        request=without("$first", "$last"),
    ),
    Mutation("positions from 0", ("page-first", "page-range"), request=_last_but_one),
    Mutation(
        "$orderby is ignored", ("order-descends", "order-by-several", "order-integers"), request=without("$orderby")
    ),
    Mutation("$format is ignored", ("format-overrides", "format-ignores-case"), request=without("$format")),
    Mutation(
        "a full update forgets an attribute",
        ("update-replaces", "update-takes-what-was-read"),
        request=_forgets_description,
    ),
    Mutation("updates without a type are refused", ("resource-uri-may-be-left-out",), refuse=_minds_a_missing_type),
    Mutation("a partial update is a full one", ("partial-update-leaves-the-rest",), request=_whole_update),
    Mutation(
        "a delete that does nothing", ("deleted-is-gone", "deleted-leaves-its-collection"), refuse=_deletes_nothing
    ),
    Mutation("a stop that does nothing", ("network-stop",), refuse=_stops_nothing),
    Mutation("If-Match is ignored", ("etag-comes-with-if-match",), request=without_header("if-match")),
)
