"""The command ``cimi-gateway``: one file for each family of subcommands."""

from __future__ import annotations

import click

from gateway.cli.events import events
from gateway.cli.host import check, doctor
from gateway.cli.jobs import jobs
from gateway.cli.serve import serve
from gateway.cli.users import user


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cimi-gateway")
def main() -> None:
    """CIMI for libvirt hypervisors."""


for command in (serve, check, doctor, user, jobs, events):
    main.add_command(command)
