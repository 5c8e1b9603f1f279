"""Exit codes: the one place that says which error ends with which."""

from __future__ import annotations

import cimi_client

FAILED = 1
NOT_FOUND = 3
REFUSED = 4
CONFLICT = 5
AWAY = 6
INTERRUPTED = 130


def code_of(error: BaseException) -> int:
    """Return the exit code of an error of the library; of any other, that of a failure."""
    codes: tuple[tuple[type[BaseException], int], ...] = (
        (cimi_client.NotFound, NOT_FOUND),
        (cimi_client.Conflict, CONFLICT),
        (cimi_client.NotNow, CONFLICT),
        (cimi_client.Ambiguous, CONFLICT),
        (cimi_client.Refused, REFUSED),
        (cimi_client.NotOffered, REFUSED),
        (cimi_client.Unprotected, REFUSED),
        (cimi_client.ServerAway, AWAY),
    )
    return next((code for kind, code in codes if isinstance(error, kind)), FAILED)
