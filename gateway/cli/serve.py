"""``cimi-gateway serve``: the daemon."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from pathlib import Path

import click

from drivers.libvirt.connection import THREADS
from gateway import logging
from gateway.app import Gateway, libvirt_drivers
from gateway.cli.common import config_option, plainly, settings_of
from gateway.private_files import demand_all_private
from gateway.systemd_notify import keep_alive, notify


@click.command()
@config_option
def serve(config: Path) -> None:
    """Serve CIMI until SIGTERM or SIGINT; guests keep running. SIGHUP takes up a new certificate."""
    settings = settings_of(config)
    logging.set_up()
    with plainly():
        demand_all_private(settings)
    gateway = Gateway(settings, libvirt_drivers(settings))
    with plainly():
        try:
            asyncio.run(_serve(gateway))
        except OSError as error:
            raise click.ClickException(f"{settings.server.listen}: {error.strerror or error}") from None
    _leave()


def _leave() -> None:
    """Everything is closed and written. A call that libvirt never answers holds a thread that Python would wait for."""
    if any(thread.name.startswith(THREADS) for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _reload(gateway: Gateway, reloads: set[asyncio.Task[None]]) -> None:
    """Begin to take up new files. The task is held until it is over."""
    task = asyncio.create_task(gateway.reload(), name="reload")
    reloads.add(task)
    task.add_done_callback(reloads.discard)


async def _serve(gateway: Gateway) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: set[asyncio.Task[None]] = set()
    loop.add_signal_handler(signal.SIGHUP, _reload, gateway, reloads)
    await gateway.start()
    # What there is by now stays to the end: collections of garbage need not walk over it each time.
    gc.collect()
    gc.freeze()
    notify("READY=1", f"STATUS=listening on {gateway.settings.server.listen}")
    watchdog = asyncio.create_task(keep_alive(gateway.alive))
    await stop.wait()
    notify("STOPPING=1")
    watchdog.cancel()
    await gateway.stop()
