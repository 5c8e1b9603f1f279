"""Write the manual pages of the commands, from their help: ``python man_pages.py DIRECTORY``, beside click-man."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from cimi_command import main as cimi
from click_man.core import write_man_pages

from gateway.cli import main as cimi_gateway

COMMANDS = {"cimi": cimi, "cimi-gateway": cimi_gateway}


def loaded(group: click.Group) -> click.Group:
    """Return a command with all its subcommands, which else are loaded one by one when they are called."""
    context = click.Context(group)
    subcommands = {name: group.get_command(context, name) for name in group.list_commands(context)}
    group.commands = {name: command for name, command in subcommands.items() if command is not None}
    return group


def main(directory: Path) -> None:
    """Write a page for each command and subcommand."""
    for name, group in COMMANDS.items():
        write_man_pages(name, loaded(group), version="0.1.0", target_dir=str(directory))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
