"""``conformance``: how far a CIMI provider, this gateway or any other, keeps to the standard."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.catalogue import catalogue
from conformance.outcomes import Verdict
from conformance.provider import Options
from conformance.reports import RENDERERS
from conformance.run import Report, run
from gateway.cli.common import say
from gateway.cli.origins import demand_protection
from gateway.cli.remote import read_password

FORMATS = {"json": ("json",), "xml": ("xml",), "both": ("json", "xml")}


@click.command()
@click.argument("url")
@click.option("--user", help="The user; the password is asked for, or taken from CIMI_PASSWORD.")
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the report here, once or more: .html, .json, .xml (JUnit) or .md.",
)
@click.option("--format", "media", type=click.Choice(list(FORMATS)), default="both", show_default=True)
@click.option("--image", help="URI of the MachineImage that Machines are made from; else the first that is found.")
@click.option("--image-location", help="Where an image lies which the provider is to import for this.")
@click.option("--package-location", help="Where an OVF package lies which the provider is to import for this.")
@click.option("--template", help="URI of a MachineTemplate that Machines are made from.")
@click.option("--only", multiple=True, help="Only this check, by its name in the catalogue; once or more.")
@click.option(
    "--deadline", "seconds", type=float, default=180.0, show_default=True, help="Seconds that a Job may take."
)
@click.option(
    "--insecure",
    "verify",
    is_flag=True,
    flag_value=False,
    default=True,
    help="Take any TLS certificate, and send the password over plain HTTP.",
)
def conformance(
    url: str,
    user: str | None,
    reports: tuple[Path, ...],
    media: str,
    **options: Any,
) -> None:
    """Check a CIMI provider against the standard, statement by statement.

    URL is that of its Cloud Entry Point. Everything else is found from there. What is made for the checks is taken
    away again, also after an interrupt. The exit code is 0 when no "shall" is broken, 1 when one is, 130 after an
    interrupt.
    """
    chosen = Options(url=url, user=user, formats=FORMATS[media], **options)
    _demand_possible(reports, chosen.only)
    if user and chosen.verify:
        demand_protection(url)
    report = _watched(replace(chosen, password=read_password() if user else ""))
    for path in reports:
        path.write_text(RENDERERS[path.suffix](report), encoding="utf-8")
    _tell(report)
    raise SystemExit(130 if report.interrupted else 0 if report.passed else 1)


def _demand_possible(reports: tuple[Path, ...], only: tuple[str, ...]) -> None:
    """Raise BadParameter for a report in an unknown format, and for an unknown check."""
    wrong = [path for path in reports if path.suffix not in RENDERERS]
    if wrong:
        raise click.BadParameter(f"{wrong[0]}: the suffix is one of {', '.join(RENDERERS)}", param_hint="--report")
    unknown = [name for name in only if name not in catalogue()]
    if unknown:
        raise click.BadParameter(f"{unknown[0]} is no check; docs/conformance.md has them all", param_hint="--only")


def _watched(options: Options) -> Report:
    """Run the checks with a progress bar, and return their report."""
    columns = (TextColumn("{task.description:44.44}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("finding out what there is", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        return run(options, show)


def _tell(report: Report) -> None:
    for result in report.results:
        if result.verdict in (Verdict.FAIL, Verdict.WARN):
            say(f"{result.verdict.value} {result.media:4} {result.entry.id} ({result.entry.clause}): {result.message}")
    counts = ", ".join(f"{report.count(verdict)} {verdict.value}" for verdict in Verdict)
    say(f"{counts}; {report.requests} requests in {report.seconds:.0f} s")
    for url in report.left:
        say(f"could not be taken away: {url}", err=True)
