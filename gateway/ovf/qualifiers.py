"""The qualifiers of a property as DSP0243 clause 9.5.1 writes them: ``MinLen(1) ValueMap{"a", "b"}``.

A stranger wrote them: the text is gone through once, front to back, and nothing is tried twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.ovf.errors import PackageInvalid

LONGEST = 16_384
"""Characters of all qualifiers of one property."""
OPENING = {"(": ")", "{": "}"}


@dataclass(frozen=True, slots=True)
class Qualifier:
    """A qualifier: ``name`` as it is written; ``content`` is what stands between its brackets."""

    name: str
    content: str


def qualifiers_of(text: str, where: str) -> Iterator[Qualifier]:
    """Yield the qualifiers in a text, and pass over what is none. Raises PackageInvalid for one that is too long."""
    if len(text) > LONGEST:
        raise PackageInvalid(f"{where}: its qualifiers are longer than {LONGEST} characters")
    position, name = 0, ""
    while position < len(text):
        sign = text[position]
        if sign in OPENING and name:
            end = _end_of(text, position + 1)
            if end < len(text) and text[end] in OPENING.values():
                yield Qualifier(name, text[position + 1 : end])
                end += 1
            position, name = max(end, position + 1), ""
        elif sign.isalnum() or sign == "_":
            end = _end_of_word(text, position)
            position, name = end, text[position:end]
        else:
            position, name = position + 1, name if sign.isspace() else ""


def _end_of_word(text: str, position: int) -> int:
    while position < len(text) and (text[position].isalnum() or text[position] == "_"):
        position += 1
    return position


def _end_of(text: str, position: int) -> int:
    """Return where the next bracket outside of quotes stands; the text's end without one."""
    while position < len(text) and text[position] not in "(){}":
        position = _end_of_word_in_quotes(text, position + 1) if text[position] == '"' else position + 1
    return position


def _end_of_word_in_quotes(text: str, position: int) -> int:
    """Return the place behind the closing quote; a backslash takes the sign behind it along."""
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    return position + 1


def words_of(content: str) -> list[str]:
    """Return the words of a list such as ``"red, or so", blue``: in quotes, where a backslash escapes, or bare."""
    words, position = [], 0
    while position < len(content):
        if content[position] == '"':
            end = _end_of_word_in_quotes(content, position + 1)
            if end <= len(content):
                words.append(_unescaped(content[position + 1 : end - 1]))
            position = end
        else:
            end = _end_of_bare_word(content, position)
            bare = content[position:end].strip(" \t\r\n,")
            words += [bare] if bare else []
            position = end
    return words


def _end_of_bare_word(content: str, position: int) -> int:
    """Return where the next word begins: behind a comma, or at a quote."""
    while position < len(content) and content[position] != '"':
        position += 1
        if content[position - 1] == ",":
            break
    return position


def _unescaped(word: str) -> str:
    parts, position = [], 0
    while (escape := word.find("\\", position)) >= 0:
        parts.append(word[position:escape] + word[escape + 1 : escape + 2])
        position = escape + 2
    return "".join((*parts, word[position:]))
