"""The audit log: who asked for what, from where, and what came of it. It is appended to, and loses its oldest entries.

Entries of strangers, whom nobody knows, have a bound of their own: so they push nothing out that users did.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway import clock
from gateway.clock import timestamp
from gateway.store.model import Document

INSERT = "INSERT INTO audit (time, stranger, entry) VALUES (?, ?, ?)"
AT_ONCE = 1000
"""Entries that are removed in one transaction."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A request, or a number of equal ones, and what came of it.

    ``credential`` says by what the user came in: ``password``, ``token ID``, ``certificate FINGERPRINT``,
    ``uid NUMBER``; or ``gateway REASON`` for what the gateway does by itself. A ``stranger`` has no user.
    """

    operation: str
    outcome: str
    """``Success``, ``Pending`` (a Job does it, whose end is an entry, too), ``Warning`` (stopped) or ``Failure``."""
    resource: str = ""
    user: str = ""
    project: str = ""
    """Id of the project that was asked in."""
    credential: str = ""
    address: str = ""
    request: str = ""
    """Id of the request."""
    job: str = ""
    detail: str = ""
    number: int = 1
    """How many requests the entry stands for; of the last one it has the details."""
    stranger: bool = False

    def document(self) -> Document:
        """Return the entry as JSON has it: without what is empty, and with a key for what the user came in by."""
        kind, _, name = self.credential.partition(" ")
        values = {
            "user": self.user,
            "project": self.project if self.project != self.user else None,
            **({kind: name} if name else {}),
            "address": self.address,
            "operation": self.operation,
            "resource": self.resource,
            "outcome": self.outcome,
            "number": self.number if self.number > 1 else None,
            "request": self.request,
            "job": self.job,
            "detail": self.detail,
        }
        return {key: value for key, value in values.items() if value}


def rows_of(entries: Iterable[AuditEntry]) -> list[tuple[Any, ...]]:
    """Return the rows of entries that are appended now."""
    now = timestamp(clock.now())
    return [(now, int(entry.stranger), _text(entry.document())) for entry in entries]


def _text(document: Document) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
