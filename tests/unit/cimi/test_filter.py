"""The filter grammar, by the vectors that known servers accept and refuse."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cimi.filter import And, AttributeType, Comparison, Or, PropertyComparison, parse
from gateway.errors import Invalid

TYPES = dict.fromkeys(("alpha", "beta", "gamma", "delta"), AttributeType.INTEGER) | {
    "name": AttributeType.STRING,
    "created": AttributeType.DATE,
    "on": AttributeType.BOOLEAN,
    "image": AttributeType.REFERENCE,
}

TOKENS = ("alpha", "name", "created", "(", ")", "=", "!=", "<", "and", "or", "'x'", "3", "true", "2012-01-01")


def number(name: str, value: int, operator: str = "=") -> Comparison:
    return Comparison(name, operator, value, AttributeType.INTEGER)


@pytest.mark.parametrize("text", ["alpha=3", "3=alpha", "(alpha=3)", " alpha = 3 ", "alpha='3'"])
def test_spellings_of_one_comparison(text: str) -> None:
    assert parse(text, TYPES) == number("alpha", 3)


def test_and_binds_tighter_than_or() -> None:
    left = And(number("alpha", 3), number("beta", 4))
    right = And(number("gamma", 5), number("delta", 6))
    assert parse("alpha=3 and beta=4 or gamma=5 and delta=6", TYPES) == Or(left, right)


def test_parentheses_override() -> None:
    inner = Or(number("beta", 4), number("gamma", 5))
    expected = And(number("alpha", 3), And(inner, number("delta", 6)))
    assert parse("alpha=3 and (beta=4 or gamma=5) and delta=6", TYPES) == expected


def test_reversed_operands_turn_the_operator() -> None:
    assert parse("3<alpha", TYPES) == number("alpha", 3, ">")


def test_properties_compare_by_key_and_value() -> None:
    assert parse("property['k']!='v'", TYPES) == PropertyComparison("k", "!=", "v")


def test_a_blank_in_an_offset_stands_for_the_plus_that_decoding_took() -> None:
    wanted = datetime(2012, 1, 2, 10, 44, 25, tzinfo=UTC)
    assert parse("created>2012-01-02T13:14:25 02:30", TYPES) == Comparison("created", ">", wanted, AttributeType.DATE)


def test_an_unknown_attribute_is_no_error_and_of_no_type() -> None:
    assert parse("nothing=1", TYPES) == Comparison("nothing", "=", 1)


def test_references_compare_by_their_path() -> None:
    assert parse("image='http://h/cimi/machineImages/1'", TYPES, "http://h/cimi/") == Comparison(
        "image", "=", "machineImages/1", AttributeType.REFERENCE
    )


@pytest.mark.parametrize("text", ["action='stop'", "action='http://schemas.dmtf.org/cimi/1/action/stop'"])
def test_actions_compare_by_their_verb(text: str) -> None:
    expected = Comparison("action", "=", "stop", AttributeType.ACTION)
    assert parse(text, {"action": AttributeType.ACTION}) == expected


@pytest.mark.parametrize("name", ["order", "trueness", "android", "true_", "propertyless"])
def test_attributes_may_begin_as_keywords_do(name: str) -> None:
    types = {name: AttributeType.INTEGER, "alpha": AttributeType.INTEGER}
    assert parse(f"alpha=1 or {name}=3", types) == Or(number("alpha", 1), number(name, 3))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "()",
        "alpha=beta",
        "alpha=3.2",
        "alpha&&4",
        "property[beta]='4'",
        "property['beta']=4",
        "4=property['beta']",
        "name<'x'",
        "on>true",
        "alpha='x'",
        "created='x'",
        "created=2012-13-40",
        "property['a']<'b'",
        "(" * 100 + "alpha=1" + ")" * 100,
        " or ".join(["alpha=1"] * 200),
        "alpha=" + "9" * 30,
        "name='" + "x" * 5000 + "'",
    ],
)
def test_nonsense_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid, match=r"^\$filter: "):
        parse(text, TYPES)


@given(st.text(max_size=200))
def test_random_text_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    with suppress(Invalid):
        parse(text, TYPES)


@given(st.lists(st.sampled_from(TOKENS)))
def test_random_tokens_are_parsed_or_refused_and_nothing_else(tokens: list[str]) -> None:
    with suppress(Invalid):
        parse(" ".join(tokens), TYPES)
