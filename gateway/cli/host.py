"""``check`` and ``doctor``: is the configuration valid, is the host fit."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import structlog

from gateway.app import libvirt_drivers
from gateway.cli.common import config_option, plainly, say, settings_of
from gateway.config import Settings
from gateway.doctor import Finding, examine
from gateway.http.tls import Certificate
from gateway.private_files import demand_all_private


@click.command()
@config_option
def check(config: Path) -> None:
    """Say whether the configuration is valid, and whether its certificate, key and users file can be used."""
    settings = settings_of(config)
    with plainly():
        demand_all_private(settings)
        if settings.server.tls_certificate:
            Certificate(Path(settings.server.tls_certificate), Path(settings.server.tls_key))
    say(f"{config}: valid")


@click.command()
@config_option
def doctor(config: Path) -> None:
    """Look for what can be wrong on this host, and say what to do."""
    settings = settings_of(config)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    findings = asyncio.run(_examine(settings))
    for finding in findings:
        say(f"{finding.level:8}{finding.subject}: {finding.message}")
        if finding.advice:
            say(f"{'':8}  -> {finding.advice}")
    if any(finding.level == "error" for finding in findings):
        raise SystemExit(1)


async def _examine(settings: Settings) -> list[Finding]:
    drivers = libvirt_drivers(settings)
    await asyncio.gather(*(driver.open() for driver in drivers.values()))
    try:
        return [finding async for finding in examine(settings, drivers)]
    finally:
        await asyncio.gather(*(driver.close() for driver in drivers.values()))
