"""``cimi-gateway serve``: the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import click

from drivers.libvirt.lanes import THREADS
from gateway import logging
from gateway.app import Gateway
from gateway.cli.common import config_option, plainly, settings_of
from gateway.garbage import spare_what_is_there
from gateway.http.tls import configured_certificate
from gateway.private_files import demand_all_private
from gateway.store.keyring import demand_usable_keys
from gateway.systemd_notify import keep_alive, more_time, notify
from gateway.wiring import libvirt_drivers


@click.command()
@config_option
def serve(config: Path) -> None:
    """Serve CIMI until SIGTERM or SIGINT; guests keep running. SIGHUP takes up a new certificate."""
    settings = settings_of(config)
    with plainly():
        # Before libvirt is asked for anything: what is wrong here is no matter of waiting.
        demand_all_private(settings)
        configured_certificate(settings.server)
        demand_usable_keys(Path(settings.store.path), settings.store.key, settings.store.former_keys)
    logging.set_up()
    gateway = Gateway(settings, libvirt_drivers(settings))
    with plainly():
        try:
            asyncio.run(_serve(gateway))
        except OSError as error:
            file = f"{error.filename}: " if error.filename else ""
            raise click.ClickException(f"{file}{error.strerror or error}") from None
    _leave()


def _leave() -> None:
    """End the process at once when a call of libvirt's still holds a thread: Python would wait for it.

    Everything is closed and written by then.
    """
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _reload(gateway: Gateway) -> None:
    """Begin to take up new files."""
    gateway.supervision.react("reload", gateway.reload())


async def _serve(gateway: Gateway) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, gateway)
    async with more_time():
        await gateway.start()
    spare_what_is_there()
    await notify("READY=1", f"STATUS=listening on {gateway.settings.server.listen}")
    keep_alive(gateway.supervision, gateway.alive)
    await stop.wait()
    await notify("STOPPING=1")
    await gateway.stop()
