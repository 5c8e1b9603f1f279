"""The report as one page of HTML, without scripts or anything from elsewhere."""

from __future__ import annotations

from html import escape
from itertools import groupby

from conformance.catalogue import Entry
from conformance.outcomes import Result, Verdict
from conformance.run import Report

CLASSES = {Verdict.PASS: "pass", Verdict.FAIL: "fail", Verdict.WARN: "warn", Verdict.NOT_TESTED: "none"}
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.about { color: #777; margin: 0 0 1rem; }
.counts { display: flex; gap: .75rem; flex-wrap: wrap; padding: 0; list-style: none; }
.counts li { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; min-width: 7rem; }
.counts b { display: block; font-size: 1.5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-top: 1px solid var(--line); }
th { font-weight: 600; background: var(--soft); }
td:first-child { color: #777; width: 9rem; } td.level { color: #777; }
code { font-size: .85em; color: #777; } .said { display: block; margin-top: .25rem; }
.v { display: inline-block; border-radius: .3rem; padding: 0 .45rem; font-size: .8rem; font-weight: 600;
  white-space: nowrap; }
.pass .v, .v.pass { background: #2e7d3222; color: #2e7d32; } .fail .v, .v.fail { background: #c6282833; color: #d33; }
.warn .v, .v.warn { background: #ef6c0033; color: #d26100; } .none .v, .v.none { background: #8883; color: #777; }
nav a { margin-right: .9rem; } details { margin-top: .25rem; } summary { cursor: pointer; color: #777; }
pre { font-size: .8rem; overflow-x: auto; margin: .3rem 0; }
@media (prefers-color-scheme: dark) {
  .v.pass { color: #81c784; } .v.fail { color: #ff8a80; } .v.warn { color: #ffb74d; }
}
"""


def render(report: Report) -> str:
    """Return the page."""
    families = [(entries, list(group)) for entries, group in groupby(_sorted(report), lambda pair: pair[0].family)]
    broken = [pair for _family, group in families for pair in group if _worst(pair[1]) in (Verdict.FAIL, Verdict.WARN)]
    parts = [_head(report), _navigation(families)]
    if broken:
        parts.append(f'<h2 id="broken">What does not hold</h2>{_table(broken)}')
    parts += [
        f'<h2 id="{escape(family)}">{escape(group[0][0].title)}</h2>{_table(group)}' for family, group in families
    ]
    title = f"CIMI conformance of {escape(report.url)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


Pair = tuple[Entry, list[Result]]


def _sorted(report: Report) -> list[Pair]:
    """Return the results of each entry, in the catalogue's order."""
    results_of: dict[str, list[Result]] = {}
    for result in report.results:
        results_of.setdefault(result.entry.id, []).append(result)
    order = {result.entry.family: number for number, result in reversed(list(enumerate(report.results)))}
    pairs = [(results[0].entry, results) for results in results_of.values()]
    return sorted(pairs, key=lambda pair: order[pair[0].family])


def _worst(results: list[Result]) -> Verdict:
    severity = (Verdict.FAIL, Verdict.WARN, Verdict.NOT_TESTED, Verdict.PASS)
    return min((result.verdict for result in results), key=severity.index)


def _head(report: Report) -> str:
    counts = "".join(
        f'<li><b>{report.count(verdict)}</b><span class="v {CLASSES[verdict]}">{verdict.value}</span></li>'
        for verdict in Verdict
    )
    notes = "<p><b>The run was interrupted.</b></p>" if report.interrupted else ""
    if report.left:
        notes += f"<p>Could not be taken away: {escape(', '.join(report.left))}</p>"
    about = f"{report.began:%Y-%m-%d %H:%M} UTC, {report.seconds:.0f} s, {report.requests} requests"
    title = f"<h1>CIMI conformance of {escape(report.url)}</h1>"
    return f'{title}<p class="about">{about}</p><ul class="counts">{counts}</ul>{notes}'


def _navigation(families: list[tuple[str, list[Pair]]]) -> str:
    links = "".join(f'<a href="#{escape(family)}">{escape(group[0][0].title)}</a>' for family, group in families)
    return f"<nav>{links}</nav>"


def _table(pairs: list[Pair]) -> str:
    head = "<tr><th>Clause</th><th>Statement</th><th>Level</th><th>JSON</th><th>XML</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{''.join(map(_row, pairs))}</tbody></table>"


def _row(pair: Pair) -> str:
    entry, results = pair
    cells = "".join(f"<td>{_cell(entry, results, media)}</td>" for media in ("json", "xml"))
    said = "".join(_said(result) for result in results if result.message and result.verdict is not Verdict.PASS)
    statement = f"{escape(entry.text)} <code>{entry.id}</code>{said}"
    return f'<tr><td>{escape(entry.clause)}</td><td>{statement}</td><td class="level">{entry.level}</td>{cells}</tr>'


def _cell(entry: Entry, results: list[Result], media: str) -> str:
    in_media = [result for result in results if result.media == media]
    if not in_media:
        return "&ndash;" if media not in entry.formats else ""
    return f'<span class="v {CLASSES[in_media[0].verdict]}">{in_media[0].verdict.value}</span>'


def _said(result: Result) -> str:
    text = f'<span class="said"><b>{result.media.upper()}:</b> {escape(result.message)}</span>'
    if not result.exchanges:
        return text
    lines = escape("\n".join(result.exchanges))
    return f"{text}<details><summary>what was asked</summary><pre>{lines}</pre></details>"
