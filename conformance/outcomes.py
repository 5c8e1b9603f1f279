"""What becomes of a check."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from conformance.catalogue import Entry


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    """A ``shall`` that does not hold."""
    WARN = "WARN"
    """A ``should`` or ``may`` that does not hold."""
    NOT_TESTED = "NOT TESTED"
    """The provider does not offer what the statement is about, or nothing came by to look at."""


class Violation(Exception):
    """The statement does not hold; the text says what was seen instead."""


class NotOffered(Exception):
    """The provider does not offer what the statement is about."""


MISUNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError)
"""What reading a document that is not as any reader would expect ends in."""


def violated(message: str) -> NoReturn:
    raise Violation(message)


def expect(condition: object, message: str) -> None:
    """Raises Violation with the message when the condition does not hold."""
    if not condition:
        raise Violation(message)


@dataclass(frozen=True, slots=True)
class Result:
    """Of one entry in one format."""

    entry: Entry
    media: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0
    exchanges: tuple[str, ...] = field(default=())
    """What was asked and answered, a line each, where the check did not pass."""
