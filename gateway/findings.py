"""The findings that `doctor` tells of its looks at the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one look: ``level`` is ok, warning or error; ``advice`` says what to do."""

    level: str
    subject: str
    message: str
    advice: str = ""
