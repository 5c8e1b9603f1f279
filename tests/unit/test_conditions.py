"""If-Match and If-None-Match: quoted tags, lists of them, and how many."""

from __future__ import annotations

import pytest

from gateway.errors import Invalid
from gateway.http.request import MOST_TAGS, names_tag


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ('"a"', True),
        ('"x", "a"', True),
        ('"x","a","y"', True),
        ('  "a"  ', True),
        ("*", True),
        ('"x", *', True),
        ("", False),
        ("a", False),
        ('"x"', False),
        ('"x,a"', False),
        ('"*"', False),
        ('"a', False),
        ('a"', False),
        ('W/"a"', False),
        ('"x", W/"a"', False),
        ('W/"x", "a"', True),
    ],
)
def test_a_header_names_a_tag(header: str, named: bool) -> None:
    assert names_tag(header, {'"a"'}) is named


def test_a_comma_may_stand_in_a_tag() -> None:
    assert names_tag('"x", "a,b"', ('"a,b"',))


def test_a_weakened_tag_is_the_same_where_that_is_enough() -> None:
    assert names_tag('W/"a"', {'"a"'}, weakly=True)


def test_more_tags_than_anybody_needs_are_refused() -> None:
    assert not names_tag('"x",' * MOST_TAGS, {'"a"'})
    with pytest.raises(Invalid, match="at most 256"):
        names_tag('"x",' * (MOST_TAGS + 1), {'"a"'})
