"""``cimi meter``: how much a Machine uses."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cimi_client
import click

from cimi_command.kinds import ID, NAME, name_of
from cimi_command.lines import last_of
from cimi_command.making import make
from cimi_command.options import Family, output, waiting
from cimi_command.session import Session, run
from cimi_command.tables import Column, rows_of
from cimi_command.tables import show as show_table
from cimi_command.volumes import part_of
from cimi_command.words import say

if TYPE_CHECKING:
    from cimi_client import Document, Resource

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
MOST = 5000
LAST = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
ASPECT = Column("ASPECT", lambda one: last_of(one.text("aspect")))
COLUMNS = (
    ASPECT,
    NAME,
    Column("UNITS", lambda one: one.text("units")),
    Column("EVERY", lambda one: one.text("sampleInterval")),
    ID,
)
SAMPLES = (Column("TIME", lambda one: moment_of(one)), Column("VALUE", lambda one: value_of(one), right=True))


@click.group(cls=Family)
def meter() -> None:
    """Meters: how much a Machine uses."""


@meter.command("list")
@name_of("machines")
@output
def list_(name: str, output: str) -> None:
    """List the Meters of the Machine NAME."""
    run(lambda session: _list(session, name, output))


async def _list(session: Session, name: str, form: str) -> None:
    collection = await part_of(session, name, "meters")
    meters = [item async for item in session.client.items(collection)]
    show_table(COLUMNS, rows_of(COLUMNS, meters), form)


@meter.command()
@name_of("machines")
@click.argument("aspect")
@waiting
def create(name: str, aspect: str, wait: bool) -> None:
    """Begin to measure ASPECT of the Machine NAME: cpu, memory, disk ..."""
    run(lambda session: _create(session, name, aspect, wait))


async def _create(session: Session, name: str, aspect: str, wait: bool) -> None:
    config = await session.client.find("meterConfigs", aspect)
    document: Document = {"name": aspect, "meterTemplate": {"meterConfig": {"href": config.id}}}
    await make(session, await part_of(session, name, "meters"), document, wait=wait)


@meter.command()
@name_of("machines")
@click.argument("aspect")
@click.option("--last", default="1h", show_default=True, help="How far back: 30m, 1h, 7d.")
@output
def show(name: str, aspect: str, last: str, output: str) -> None:
    """Show ASPECT of the Machine NAME as a line of bars, or its samples with -o json or csv."""
    span = LAST.fullmatch(last)
    if span is None:
        raise click.BadParameter(f"{last!r} is no time such as 30m, 1h or 7d", param_hint="--last")
    since = datetime.now(UTC) - timedelta(**{UNITS[span.group(2)]: int(span.group(1))})
    run(lambda session: _show(session, name, aspect, since, output))


async def _show(session: Session, name: str, aspect: str, since: datetime, form: str) -> None:
    meter = await _meter(session, name, aspect)
    href = meter.href("samples")
    if href is None:
        raise cimi_client.NotOffered(f"{meter.id} has no samples")
    filters = (f"timestamp>={since:%Y-%m-%dT%H:%M:%SZ}",)
    query = cimi_client.Query(filters, order=("timestamp:desc",), first=1, last=MOST)
    samples = [item async for item in session.client.items(href, query, 1000)][::-1]
    if form in ("json", "csv"):
        show_table(SAMPLES, rows_of(SAMPLES, samples), form)
        return
    values = [float(value_of(sample)) for sample in samples if _is_number(value_of(sample))]
    if not values:
        say(f"{name} has no samples of {aspect} since {since:%Y-%m-%d %H:%M} UTC")
        return
    click.echo(bars(values, WIDTH))
    figures = {"now": values[-1], "least": min(values), "mean": sum(values) / len(values), "most": max(values)}
    said = ", ".join(f"{word} {figure:.4g}" for word, figure in figures.items())
    click.echo(f"{said} {meter.text('units')}; {len(values)} samples since {moment_of(samples[0])}")


async def _meter(session: Session, name: str, aspect: str) -> Resource:
    """Return the Meter of an aspect of a Machine. Raises NotFound, with what there is."""
    collection = await part_of(session, name, "meters")
    meters = [item async for item in session.client.items(collection)]
    matching = [one for one in meters if aspect in (last_of(one.text("aspect")), one.name, one.key)]
    if not matching:
        have = ", ".join(sorted(last_of(one.text("aspect")) for one in meters)) or "none"
        words = f"{name} has no Meter of {aspect}; it has {have}. cimi meter create {name} {aspect} begins one"
        raise cimi_client.NotFound(words, 404, collection)
    return matching[0]


def bars(values: list[float], width: int) -> str:
    """Return values as a line of bars, from the least to the most, each of as many values as there is room for."""
    size = max(1, -(-len(values) // width))
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    means = [sum(group) / len(group) for group in groups]
    least, most = min(0.0, *means), max(means)
    span = (most - least) or 1.0
    return "".join(BARS[min(int((mean - least) / span * len(BARS)), len(BARS) - 1)] for mean in means)


def moment_of(sample: Resource) -> str:
    """Return the time of a sample, however the provider spells it."""
    return sample.text("timestamp") or sample.part("sample").text("timestamp")


def value_of(sample: Resource) -> str:
    """Return the value of a sample, however the provider spells it."""
    return sample.text("value") or sample.part("sample").text("value")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
