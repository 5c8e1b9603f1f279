"""The findings that ``doctor`` tells of its looks at the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one look; ``advice`` says what to do."""

    level: Level
    subject: str
    message: str
    advice: str = ""
    fixable: bool = False
    """The advice is a command of the shell that mends it and does no harm elsewhere: ``doctor --fix`` runs it."""
