"""``check`` and ``doctor``: is the configuration valid, is the host fit."""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click
import structlog

from gateway import service_view
from gateway.cli.common import config_option, plainly, say, settings_of
from gateway.config import Settings
from gateway.doctor import examine, examine_host
from gateway.findings import Finding
from gateway.http.tls import configured_certificate
from gateway.private_files import demand_all_private
from gateway.store.keyring import demand_usable_keys
from gateway.wiring import libvirt_drivers

F = TypeVar("F", bound=Callable[..., Any])


def here_option(function: F) -> F:
    """Give a subcommand the option ``--here``.

    The service's view is made with it, too, so that this is not made once more.
    """
    return click.option(
        "--here",
        is_flag=True,
        help="Look as the user who runs this, and not, as root on a host with the service, in the service's place.",
    )(function)


@click.command()
@here_option
@config_option
def check(config: Path, here: bool) -> None:
    """Say whether the configuration, certificate, keys and users file can be used: by the service, where root asks."""
    properties = _properties(here)
    if properties is not None and service_view.can_look(properties):
        raise SystemExit(_in_its_place(properties, "check", config))
    settings = settings_of(config)
    with plainly():
        demand_all_private(settings)
        configured_certificate(settings.server)
        demand_usable_keys(Path(settings.store.path), settings.store.key, settings.store.former_keys)
    say(f"{config}: valid")


@click.command()
@here_option
@config_option
def doctor(config: Path, here: bool) -> None:
    """Look for what can be wrong on this host, and say what to do."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    properties = _properties(here)
    if properties is not None and service_view.can_look(properties):
        status = _in_its_place(properties, "doctor", config)
        settings = settings_of(config)
        _end([_place(f"looked as {service_view.service_user(properties)}, with the files that the unit shows it"),
              *examine_host(settings)], status)  # fmt: skip
    settings = settings_of(config)
    findings = asyncio.run(_examine(settings))
    if not here:
        findings += [*examine_host(settings), *_not_in_its_place(properties)]
    _end(findings, 0)


def _properties(here: bool) -> dict[str, str] | None:
    with plainly():
        return None if here else service_view.unit_properties()


def _in_its_place(properties: Mapping[str, str], command: str, config: Path) -> int:
    """Run the command again as the service would, print what it printed, and return its exit status."""
    with plainly():
        done = service_view.look(properties, command, "--here", "--config", str(config.absolute()))
    click.echo(done.stdout, nl=False)
    click.echo(done.stderr, nl=False, err=True)
    return done.returncode


def _place(message: str) -> Finding:
    return Finding("ok", "service", message)


def _not_in_its_place(properties: Mapping[str, str] | None) -> list[Finding]:
    """Tell where there is a service whose view this was not."""
    if properties is None:
        return []
    user = pwd.getpwuid(os.geteuid()).pw_name
    message = f"looked as {user}; {service_view.UNIT} sees other files (ProtectHome, PrivateTmp, ProtectSystem)"
    return [Finding("warning", "service", message, "run doctor as root: it then looks in the service's place")]


def _end(findings: list[Finding], status: int) -> None:
    for finding in findings:
        say(f"{finding.level:8}{finding.subject}: {finding.message}")
        if finding.advice:
            say(f"{'':8}  -> {finding.advice}")
    sys.stdout.flush()
    raise SystemExit(status or int(any(finding.level == "error" for finding in findings)))


async def _examine(settings: Settings) -> list[Finding]:
    drivers = libvirt_drivers(settings)
    await asyncio.gather(*(driver.open() for driver in drivers.values()))
    try:
        return [finding async for finding in examine(settings, drivers)]
    finally:
        await asyncio.gather(*(driver.close() for driver in drivers.values()))
