"""Writes the manual pages and the completions of both commands from their own help: ``make manual``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import click
from cimi_command import main as cimi
from click.shell_completion import get_completion_class

from gateway.cli import main as cimi_gateway

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
.BR cimi (1),
.BR journalctl (1),
.BR virsh (1),
.I /usr/share/doc/cimi-gateway
"""
CLIENT_ENDING = """.SH FILES
.TP
.I ~/.config/cimi/config.toml
The profiles, with their passwords; readable for their owner alone.
.SH EXIT STATUS
0 done, 1 failed, 2 wrong usage, 3 not found, 4 refused or not offered by the provider,
5 conflict with the state of things, 6 the server is away, 130 interrupted.
.SH ENVIRONMENT
.TP
.BR CIMI_URL ", " CIMI_USER ", " CIMI_PASSWORD
The Cloud Entry Point and the credentials, instead of a profile.
.TP
.B CIMI_TOKEN
A bearer token instead of user and password.
.TP
.B CIMI_PROFILE
The profile to take.
.TP
.B NO_COLOR
No colours in tables.
.SH SEE ALSO
.BR cimi-gateway (1),
.I /usr/share/doc/cimi-gateway/docs/cimi.md
"""


@dataclass(frozen=True)
class Program:
    """A command with a page: its name and tree, the title of its section of the manual, and how the page ends."""

    name: str
    tree: click.Group
    distribution: str
    title: str
    ending: str


GATEWAY = Program("cimi-gateway", cimi_gateway, "cimi-gateway", "System administration", ENDING)
CLIENT = Program("cimi", cimi, "cimi-gateway", "User commands", CLIENT_ENDING)


def page(program: Program) -> str:
    """Return the manual page in roff's language (man(7))."""
    context = _context(program.tree, program.name, None)
    edition = f"{program.distribution} {version(program.distribution)}"
    head = f'.TH {program.name.upper()} 1 "" "{edition}" "{program.title}"\n'
    summary = (program.tree.help or "").partition("\n")[0].rstrip(".")
    commands = "".join(_sections(context))
    synopsis = f".SH SYNOPSIS\n.B {program.name}\n{_text('COMMAND [ARGUMENTS]')}\n"
    common = _options(context, common=True)
    options = f".SH OPTIONS OF EVERY COMMAND\n{common}" if common else ""
    name = f".SH NAME\n{program.name} \\- {_text(summary)}\n"
    return f"{head}{name}{synopsis}{options}.SH COMMANDS\n{commands}{program.ending}"


def completion(program: Program, shell: str) -> str:
    """Return what a shell reads to complete the command's words."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    variable = f"_{program.name.upper().replace('-', '_')}_COMPLETE"
    return kind(program.tree, {}, program.name, variable).source() + "\n"


FILES: dict[Path, Callable[[], str]] = {
    PLACE / "cimi-gateway.1": partial(page, GATEWAY),
    PLACE / "cimi-gateway.bash": partial(completion, GATEWAY, "bash"),
    PLACE / "cimi.1": partial(page, CLIENT),
    PLACE / "cimi.bash": partial(completion, CLIENT, "bash"),
    PLACE / "cimi.zsh": partial(completion, CLIENT, "zsh"),
    PLACE / "cimi.fish": partial(completion, CLIENT, "fish"),
}
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
    return f".SS {_text(words)}\n{text}\n{_options(context, common=False)}"


def _options(context: click.Context, *, common: bool) -> str:
    """Return the options of a command: its own, or those that every command of the program has."""
    options = [entry for entry in context.command.params if isinstance(entry, click.Option) and not entry.is_eager]
    records = [option.get_help_record(context) for option in options if option.expose_value is not common]
    return "".join(f".TP\n.B {_text(name)}\n{_text(meaning)}\n" for name, meaning in filter(None, records))


def command_usage(context: click.Context) -> str:
    """Return a command's words as one types them, without the program's name."""
    words = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    return words.partition(" ")[2]


def _text(words: str) -> str:
    """Return a text in which roff reads nothing but text."""
    escaped = words.replace("\b", "").replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(['.])", r"\\&\1", escaped, flags=re.MULTILINE)


if __name__ == "__main__":
    for path, made in FILES.items():
        path.write_text(made())
