"""The command ``cimi-gateway``: one file for each family of subcommands, loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

import click

PLACES = {
    "serve": "gateway.cli.serve",
    "check": "gateway.cli.host",
    "doctor": "gateway.cli.host",
    "user": "gateway.cli.users",
    "project": "gateway.cli.projects",
    "token": "gateway.cli.tokens",
    "jobs": "gateway.cli.jobs",
    "events": "gateway.cli.events",
    "audit": "gateway.cli.audit",
    "quota": "gateway.cli.quotas",
    "backup": "gateway.cli.backup",
    "restore": "gateway.cli.backup",
    "conformance": "gateway.cli.conformance",
}
"""Subcommand to its module: the daemon starts without loading what only the others need, and they without it."""


class Commands(click.Group):
    """The subcommands, whose modules are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands in the order of the help text."""
        return list(PLACES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand; None for an unknown name."""
        if cmd_name not in PLACES:
            return None
        command: click.Command = getattr(import_module(PLACES[cmd_name]), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cimi-gateway")
def main() -> None:
    """CIMI for libvirt hypervisors."""
