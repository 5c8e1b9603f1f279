"""Looks at what projects have and may have."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.config import Settings
from gateway.doctor.finding import Finding
from gateway.quotas import PROJECT
from gateway.store.usage import Usage, read_usage

SUBJECT = "quotas"


def quotas(settings: Settings) -> Finding:
    """Return whether several projects share the gateway without any bound, or one has more than it may."""
    path = Path(settings.store.path)
    if not path.exists():
        return Finding("ok", SUBJECT, "the gateway has not run yet")
    try:
        rows = [row for row in read_usage(path) if row.holder.startswith(f"{PROJECT}/")]
    except sqlite3.Error as error:
        return Finding(
            "warning", SUBJECT, f"{path}: {error}", "start the gateway once, which brings the store up to date"
        )
    over = [row for row in rows if _is_over(row, settings)]
    if over:
        words = ", ".join(
            f"{row.holder}: {row.quota} {row.used} of {row.limit(settings.default_quotas)}" for row in over[:5]
        )
        return Finding("ok", SUBJECT, f"full, or more than is allowed: {words}")
    busy = {row.holder for row in rows if row.quota == "machines" and row.used}
    if len(busy) > 1 and not settings.quotas and not any(row.own for row in rows):
        words = f"{len(busy)} projects share this gateway, and each of them may take all there is"
        return Finding("warning", SUBJECT, words, "set [quotas] in the configuration: docs/quotas.md")
    return Finding("ok", SUBJECT, f"{len({row.holder for row in rows})} projects counted")


def _is_over(row: Usage, settings: Settings) -> bool:
    limit = row.limit(settings.default_quotas)
    return limit is not None and row.used > 0 and row.used >= limit
