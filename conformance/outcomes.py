"""Outcomes of a check: verdicts, the exceptions that lead to them, results."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn

from conformance.catalogue import Entry


class Verdict(StrEnum):
    """Verdict on one statement in one format."""

    PASS = "PASS"  # noqa: S105 - a verdict
    FAIL = "FAIL"
    """A ``shall`` that does not hold."""
    WARN = "WARN"
    """A ``should`` or ``may`` that does not hold."""
    NOT_TESTED = "NOT TESTED"
    """The provider does not offer what the statement is about, or nothing came by to look at."""


class Violation(Exception):
    """Statement that does not hold; the text says what was seen instead."""


class NotOffered(Exception):
    """Absence of what the statement is about; the text says what the provider does not offer."""


MISUNDERSTOOD = (LookupError, TypeError, ValueError, AttributeError)
"""Exceptions in which reading ends when a document is not as any reader would expect."""


def violated(message: str) -> NoReturn:
    """Raise Violation with the message."""
    raise Violation(message)


def expect(condition: object, message: str) -> None:
    """Raise Violation with the message when the condition does not hold."""
    if not condition:
        raise Violation(message)


@dataclass(frozen=True, slots=True)
class Result:
    """Verdict on one entry in one format, with its reason."""

    entry: Entry
    media: str
    verdict: Verdict
    message: str = ""
    seconds: float = 0.0
    exchanges: tuple[str, ...] = field(default=())
    """Requests and answers, a line each, where the check did not pass."""
