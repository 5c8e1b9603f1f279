"""Names of hosts end up in the files of the DHCP and DNS server: only what is a name passes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Invalid
from gateway.orchestration.common.names import checked_hostname


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("web", "web"),
        (" Web.Example.ORG. ", "web.example.org"),
        ("9lives", "9lives"),
        ("a-b", "a-b"),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_name_is_kept_in_lower_case(text: str, kept: str) -> None:
    assert checked_hostname(text, "hostname") == kept


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a", "a-", "a_b", "a b", "a,b", "a\nb", "ä", "a" * 64, "a." * 127 + "a", "10.0.0.1", "7"]
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"^hostname: "):
        checked_hostname(text, "hostname")


@given(st.text(max_size=300))
def test_whatever_comes_in_only_letters_digits_hyphens_and_dots_come_out(text: str) -> None:
    try:
        kept = checked_hostname(text, "hostname")
    except Invalid:
        return
    assert re.fullmatch(r"[a-z0-9.-]{1,253}", kept)
