"""``check`` and ``doctor``: is the configuration valid, is the host fit."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, TypeVar

import cattrs
import click
import structlog

from gateway.cli.common import config_option, plainly, say, settings_of
from gateway.config import Settings
from gateway.doctor import examine, examine_host, service_view
from gateway.doctor.finding import Finding
from gateway.doctor.mending import commands_of, mend
from gateway.http.tls import configured_certificate
from gateway.plain_text import printable_json
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


def json_option(function: F) -> F:
    """Give a subcommand the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(function)


@click.command()
@here_option
@json_option
@config_option
def check(config: Path, here: bool, as_json: bool) -> None:
    """Say whether the configuration, certificate, keys and users file can be used: by the service, where root asks."""
    properties = _properties(here)
    if properties is not None and service_view.can_look(properties):
        done = _in_its_place(properties, "check", config, as_json=as_json)
        click.echo(done.stdout, nl=False)
        click.echo(done.stderr, nl=False, err=True)
        raise SystemExit(done.returncode)
    try:
        _demand_usable(config)
    except click.ClickException as error:
        if not as_json:
            raise
        say(printable_json({"config": str(config), "valid": False, "reason": error.message}))
        raise SystemExit(error.exit_code) from None
    say(printable_json({"config": str(config), "valid": True}) if as_json else f"{config}: valid")


def _demand_usable(config: Path) -> None:
    """End the subcommand where the gateway would not start with this configuration."""
    settings = settings_of(config)
    with plainly():
        demand_all_private(settings)
        configured_certificate(settings.server)
        demand_usable_keys(Path(settings.store.path), settings.store.key, settings.store.former_keys)


@click.command()
@here_option
@json_option
@click.option("--fix", is_flag=True, help="Run, as root, the commands that are safe, each told first; then look again.")
@config_option
def doctor(config: Path, here: bool, as_json: bool, fix: bool) -> None:
    """Look for what can be wrong on this host, and say what to do."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    if fix and os.geteuid() != 0:
        raise click.UsageError("--fix changes the host: run it as root")
    if fix:
        _mend(settings_of(config))
    findings = _look(config, here)
    _print(findings, as_json)
    sys.stdout.flush()
    raise SystemExit(int(any(finding.level == "error" for finding in findings)))


def _look(config: Path, here: bool) -> list[Finding]:
    """Return what there is to say; with ``here`` of what this process sees, else also of the host, for the service."""
    properties = _properties(here)
    if properties is not None and service_view.can_look(properties):
        findings = _findings_in_its_place(properties, config)
        message = f"looked as {service_view.service_user(properties)}, with the files that the unit shows it"
        return [*findings, Finding("ok", "service", message), *examine_host(settings_of(config))]
    settings = settings_of(config)
    findings = asyncio.run(_examine(settings))
    return findings if here else [*findings, *examine_host(settings), *_not_in_its_place(properties)]


def _properties(here: bool) -> dict[str, str] | None:
    with plainly():
        return None if here else service_view.unit_properties()


def _findings_in_its_place(properties: Mapping[str, str], config: Path) -> list[Finding]:
    """Return what the service would find; a command that cannot even look ends this one as it ended itself."""
    done = _in_its_place(properties, "doctor", config, as_json=True)
    try:
        return cattrs.structure(json.loads(done.stdout)["findings"], list[Finding])
    except (ValueError, TypeError, KeyError, cattrs.BaseValidationError):
        click.echo(done.stdout, nl=False)
        click.echo(done.stderr, nl=False, err=True)
        raise SystemExit(done.returncode or 1) from None


def _in_its_place(properties: Mapping[str, str], command: str, config: Path, *, as_json: bool) -> CompletedProcess[str]:
    """Run the command again as the service would, and return what it wrote and its exit status."""
    form = ("--json",) if as_json else ()
    with plainly():
        return service_view.look(properties, command, "--here", *form, "--config", str(config.absolute()))


def _mend(settings: Settings) -> None:
    """Run the safe commands that root's own look advises, telling each first.

    What the service's user says is printed and never run: root does not do what that user may have chosen.
    """
    for command in commands_of([*asyncio.run(_examine(settings)), *examine_host(settings)]):
        say(f"fix     {command}", err=True)
        say(f"{'':8}  -> {mend(command) or 'done'}", err=True)


def _not_in_its_place(properties: Mapping[str, str] | None) -> list[Finding]:
    """Tell where there is a service whose view this was not."""
    if properties is None:
        return []
    user = pwd.getpwuid(os.geteuid()).pw_name
    message = f"looked as {user}; {service_view.UNIT} sees other files (ProtectHome, PrivateTmp, ProtectSystem)"
    return [Finding("warning", "service", message, "run doctor as root: it then looks in the service's place")]


def _print(findings: list[Finding], as_json: bool) -> None:
    if as_json:
        say(printable_json({"findings": [asdict(finding) for finding in findings]}))
        return
    for finding in findings:
        say(f"{finding.level:8}{finding.subject}: {finding.message}")
        if finding.advice:
            say(f"{'':8}  -> {finding.advice}")


async def _examine(settings: Settings) -> list[Finding]:
    drivers = libvirt_drivers(settings)
    await asyncio.gather(*(driver.open() for driver in drivers.values()))
    try:
        return [finding async for finding in examine(settings, drivers)]
    finally:
        await asyncio.gather(*(driver.close() for driver in drivers.values()))
