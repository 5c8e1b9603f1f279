"""The report as JSON."""

from __future__ import annotations

import json
from typing import Any

from conformance.outcomes import Result, Verdict
from conformance.run import Report


def render(report: Report) -> str:
    """Return the JSON."""
    document = {
        "url": report.url,
        "began": report.began.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 1),
        "requests": report.requests,
        "interrupted": report.interrupted,
        "left": report.left,
        "summary": {verdict.value: report.count(verdict) for verdict in Verdict},
        "results": [_result(result) for result in report.results],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _result(result: Result) -> dict[str, Any]:
    entry = result.entry
    return {
        "id": entry.id,
        "clause": entry.clause,
        "level": entry.level,
        "dialect": entry.dialect,
        "resource": entry.resource,
        "statement": entry.text,
        "format": result.media,
        "verdict": result.verdict.value,
        "message": result.message,
        "seconds": round(result.seconds, 3),
        "exchanges": list(result.exchanges),
    }
