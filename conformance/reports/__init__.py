"""Results as HTML, JSON, JUnit XML and a Markdown table."""

from __future__ import annotations

from collections.abc import Callable

from conformance.reports import html, json_report, junit, markdown
from conformance.run import Report

RENDERERS: dict[str, Callable[[Report], str]] = {
    ".html": html.render,
    ".json": json_report.render,
    ".xml": junit.render,
    ".md": markdown.render,
}
"""Functions that render a report, by the suffix of the file."""
