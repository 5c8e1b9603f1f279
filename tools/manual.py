"""Writes the manual page and the completion of ``cimi-gateway`` from the command's own help: ``make manual``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
from click.shell_completion import BashComplete

from gateway.cli import main

NAME = "cimi-gateway"
PLACE = Path(__file__).resolve().parent.parent / "man"
WIDE = 10_000
"""Columns of help texts, so that none is broken into lines: man does that."""
ENDING = """.SH FILES
.TP
.I /etc/cimi-gateway/gateway.toml
The configuration; every key is told in
.IR /usr/share/doc/cimi-gateway/gateway.toml .
.TP
.I /var/lib/cimi-gateway
The store with its key, users, and images.
.SH EXIT STATUS
0 when all went well, 78 when the configuration is wrong, 2 when the command line is wrong, 1 otherwise.
.SH ENVIRONMENT
.TP
.B CIMI_PASSWORD
The password of the user of
.BR --user ,
which is asked for without it.
.SH SEE ALSO
.BR journalctl (1),
.BR virsh (1),
.I /usr/share/doc/cimi-gateway
"""


def page() -> str:
    """Return the manual page in roff's language (man(7))."""
    context = _context(main, NAME, None)
    head = f'.TH {NAME.upper()} 1 "" "{NAME} {version(NAME)}" "System administration"\n'
    summary = (main.help or "").rstrip(".")
    commands = "".join(_sections(context))
    synopsis = f".SH SYNOPSIS\n.B {NAME}\n{_text('COMMAND [ARGUMENTS]')}\n"
    return f"{head}.SH NAME\n{NAME} \\- {_text(summary)}\n{synopsis}.SH COMMANDS\n{commands}{ENDING}"


def completion() -> str:
    """Return what bash reads to complete the command's words."""
    return BashComplete(main, {}, NAME, "_CIMI_GATEWAY_COMPLETE").source() + "\n"


FILES = {PLACE / f"{NAME}.1": page, PLACE / f"{NAME}.bash": completion}
"""Each file with what makes its text."""


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=WIDE, max_content_width=WIDE)


def _sections(context: click.Context) -> Iterator[str]:
    """Yield a section for each command below a group, in the order of the group's help."""
    group = context.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = _context(command, name, context)
        if isinstance(command, click.Group):
            yield from _sections(inner)
        else:
            yield _section(inner)


def _section(context: click.Context) -> str:
    words = " ".join(command_usage(context).split())
    text = "\n.PP\n".join(_text(" ".join(part.split())) for part in (context.command.help or "").split("\n\n"))
    options = [option.get_help_record(context) for option in context.command.params if isinstance(option, click.Option)]
    listed = "".join(f".TP\n.B {_text(name)}\n{_text(meaning)}\n" for name, meaning in filter(None, options))
    return f".SS {_text(words)}\n{text}\n{listed}"


def command_usage(context: click.Context) -> str:
    """Return a command's words as one types them, without the program's name."""
    words = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    return words.removeprefix(f"{NAME} ")


def _text(words: str) -> str:
    """Return a text in which roff reads nothing but text."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(['.])", r"\\&\1", escaped, flags=re.MULTILINE)


if __name__ == "__main__":
    for path, made in FILES.items():
        path.write_text(made())
