"""The table of docs/conformance.md: clause by clause, the verdict in each format, and nothing of one run alone."""

from __future__ import annotations

from itertools import groupby

from conformance.catalogue import Entry
from conformance.outcomes import Result, Verdict
from conformance.registry import ordered
from conformance.run import Report

MARKS = {Verdict.PASS: "pass", Verdict.FAIL: "**FAIL**", Verdict.WARN: "warn", Verdict.NOT_TESTED: "not tested"}


def render(report: Report) -> str:
    """Return the table."""
    results = {(result.entry.id, result.media): result for result in report.results}
    lines = [_summary(report), ""]
    for title, entries in groupby(ordered(), lambda entry: entry.title):
        lines += [f"## {title}", "", "| Clause | Statement | Level | Resource | Check | JSON | XML |"]
        lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
        lines += [_row(entry, results) for entry in entries]
        lines.append("")
    return "\n".join(lines)


def _summary(report: Report) -> str:
    counts = ", ".join(f"{report.count(verdict)} {verdict.value}" for verdict in Verdict)
    return f"{len(list(ordered()))} statements, {len(report.results)} results in two formats: {counts}."


def _row(entry: Entry, results: dict[tuple[str, str], Result]) -> str:
    verdicts = " | ".join(_mark(entry, results.get((entry.id, media)), media) for media in ("json", "xml"))
    text = entry.text.replace("|", "\\|")
    return f"| {entry.clause} | {text} | {entry.level} | {entry.resource} | `{entry.id}` | {verdicts} |"


def _mark(entry: Entry, result: Result | None, media: str) -> str:
    if media not in entry.formats:
        return "-"
    return MARKS[result.verdict] if result is not None else "not tested"
