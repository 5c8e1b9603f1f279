"""Answers of a reader that was broken into: nothing but the declared types comes of what it says."""

from __future__ import annotations

import pytest

from drivers.confined.errors import ReaderDied, Unreadable
from drivers.confined.forms import WrongForm, form_of, value_of
from drivers.confined.process import LONGEST_REFUSAL
from drivers.confined.readers import ConfinedReaders
from tests.unit.drivers.obedient_reading import OBEY, Order, Told

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "words",
    [
        b"no JSON",
        b"[]",
        b"[" * 10_000,
        b'{"more":' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"more": 1}',
        b'{"more": [1]}',
        b'{"more": ["a", "b"]}',
        b'{"more": [null, 1]}',
        b'{"more": [true, 1]}',
        b'{"more": [1e999, 1]}',
        b'{"more": [' + b"9" * 4000 + b", 1]}",
        b'{"more": [-1, 1]}',
        b'{"more": [' + b"9" * 5000 + b", 1]}",
        b'{"refused": {"a": 1}}',
        b'{"failed": []}',
        b'{"answer": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'{"answer": ' + b"[" * 50_000,
    ],
    ids=range(17),
)
async def test_whatever_a_reader_says_nothing_but_an_answer_comes_of_it_or_the_ordinary_error(
    readers: ConfinedReaders, words: bytes
) -> None:
    async def more(offset: int, length: int) -> bytes:
        assert 0 <= offset < 2**63
        return bytes(length)

    with pytest.raises((Unreadable, ReaderDied)):
        await readers.ask(OBEY, Order("say", words=words.decode()), more=more)
    assert (await readers.ask(OBEY, Order("count"), b"abc")).number == 3


async def test_what_it_refuses_is_told_in_words_that_can_be_shown(readers: ConfinedReaders) -> None:
    with pytest.raises(Unreadable) as caught:
        await readers.ask(OBEY, Order("say", words='{"refused": "\\ud800' + "x" * 100_000 + '"}'))
    assert str(caught.value).encode() == b"?" + b"x" * (LONGEST_REFUSAL - 1)


# Forms


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Told, Told(3, "a\udcffb")),
        (Told | None, None),
        (tuple[Told | Order, ...], (Told(1), Order("x", 2))),
        (dict[str, frozenset[str]], {"#": frozenset({"a", "b"})}),
        (tuple[int, str], (1, "")),
    ],
)
def test_a_value_comes_back_from_its_form(kind: object, value: object) -> None:
    assert value_of(kind, form_of(value)) == value


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (Told, {"#": "Order", "what": "x"}),
        (Told, {"#": "Told"}),
        (Told, {"#": "Told", "number": "1"}),
        (Told, {"#": "Told", "number": True}),
        (Told, {"#": "Told", "number": 1, "more": 2}),
        (tuple[int, ...], "abc"),
        (tuple[int, str], [1]),
        (dict[str, int], {"a": None}),
        (Told | Order, {"#": "Path"}),
    ],
)
def test_nothing_but_the_declared_type_comes_of_a_form(kind: object, form: object) -> None:
    with pytest.raises(WrongForm):
        value_of(kind, form)
