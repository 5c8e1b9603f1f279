"""What verbs print on standard output: tables for people, JSON and CSV for programs, names for shells."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

import click
from cimi_client.text import printable, printable_json

if TYPE_CHECKING:
    from cimi_client import Json, Resource

COLOURS = {
    "STARTED": "green",
    "AVAILABLE": "green",
    "SUCCESS": "green",
    "ERROR": "red",
    "FAILED": "red",
    "PAUSED": "yellow",
    "SUSPENDED": "yellow",
    "RUNNING": "cyan",
}


@dataclass(frozen=True)
class Row:
    """A line of a table, and the document that it was made of."""

    cells: Sequence[str]
    document: Mapping[str, Json]
    name: str


@dataclass(frozen=True)
class Column:
    """A column: its head, and what it has of a resource."""

    head: str
    value: Callable[[Resource], str]
    right: bool = False


def heads(*names: str) -> tuple[Column, ...]:
    """Return the columns of rows that are made otherwise."""
    return tuple(Column(name, lambda _one: "") for name in names)


def rows_of(columns: Sequence[Column], resources: Iterable[Resource]) -> list[Row]:
    """Return the lines for resources."""
    return [Row([column.value(one) for column in columns], one.document, one.name or one.key) for one in resources]


def show(columns: Sequence[Column], rows: Sequence[Row], form: str) -> None:
    """Print a table in a form: ``table``, ``json``, ``csv`` or ``name``."""
    if form == "json":
        click.echo(printable_json([dict(row.document) for row in rows], indent=2))
    elif form == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow([column.head.lower() for column in columns])
        writer.writerows([[printable(cell) for cell in row.cells] for row in rows])
    elif form == "name":
        for row in rows:
            click.echo(printable(row.name))
    elif rows:
        _show_table(columns, rows)


def _show_table(columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Print a table: by rich on a terminal, which may be narrow; elsewhere plainly, since rich takes its time."""
    cells = [[printable(cell) for cell in row.cells] for row in rows]
    if sys.stdout.isatty() or os.environ.get("FORCE_COLOR"):
        _show_on_terminal(columns, cells)
    else:
        _show_plainly(columns, cells)


def _show_plainly(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    """Print lines of aligned words, of whatever width."""
    lines = [[column.head for column in columns], *cells]
    widths = [max(_width(line[place]) for line in lines) for place in range(len(columns))]
    for line in lines:
        padded = []
        for column, cell, width in zip(columns, line, widths, strict=True):
            blanks = " " * (width - _width(cell))
            padded.append(blanks + cell if column.right else cell + blanks)
        click.echo("  ".join(padded).rstrip())


def _width(text: str) -> int:
    """Return the columns that a text takes, of which some scripts take two for a character."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _show_on_terminal(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.head, justify="right" if column.right else "left", overflow="fold")
    for line in cells:
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in line))
    Console(file=sys.stdout, highlight=False).print(table)


def show_document(document: Mapping[str, Json], form: str) -> None:
    """Print one resource: as lines of attribute and value, or as JSON."""
    if form == "json":
        click.echo(printable_json(dict(document), indent=2))
        return
    for name, value in document.items():
        if name not in ("resourceURI", "operations"):
            click.echo(f"{name + ':':18} {printable(_value(value))}")
    operations = document.get("operations")
    if isinstance(operations, list):
        verbs = [str(entry.get("rel", "")).rpartition("/")[2] for entry in operations if isinstance(entry, Mapping)]
        click.echo(f"{'operations:':18} {printable(', '.join(verbs))}")


def _value(value: Json) -> str:
    """Return a value for people: a reference as where it leads, several values between commas."""
    if isinstance(value, Mapping):
        if set(value) == {"href"}:
            return str(value["href"])
        return ", ".join(f"{key}={_value(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_value(entry) for entry in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
