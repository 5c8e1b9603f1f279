"""Who may come in, at the start: the users of the first start, those of this host with their socket, and scrapers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from drivers.supervision import Supervision
from gateway import users
from gateway.config import Settings
from gateway.http import local_socket
from gateway.http.admission import Admission, Limits
from gateway.http.connection import Deadlines
from gateway.http.door import Door, DoorSettings, possible
from gateway.http.local_socket import HostUsers
from gateway.http.metrics import Metrics
from gateway.listening import named
from gateway.orchestration.access.changes import host_project
from gateway.orchestration.access.first_users import import_users
from gateway.orchestration.common.directory import Directory
from gateway.store.store import Store

OF_SCRAPERS = Limits(overall=100, of_one=50)
"""Connections to the listener for scrapers."""
log = structlog.get_logger("gateway")


async def open_directory(settings: Settings, store: Store, directory: Directory) -> None:
    """Have all users in the store, and in the directory. Nobody asked for these: events do not tell of them."""
    await import_users(store, await asyncio.to_thread(users.read, Path(settings.auth.users_file)))
    if _has_socket(settings):
        async with store.transaction() as transaction:
            await host_project(transaction)
    await directory.open(store)


async def host_users(settings: Settings) -> HostUsers | None:
    """Return the users of this host; None without a socket for them. Raises ConfigError."""
    server, auth = settings.server, settings.auth
    return await asyncio.to_thread(HostUsers, server.socket_group, auth.socket_users) if _has_socket(settings) else None


def _has_socket(settings: Settings) -> bool:
    """Return whether there is a socket for this host: by the configuration, or by systemd."""
    return bool(settings.server.socket) or local_socket.is_handed_over()


async def listen_here(path: Path, door: Door, here: HostUsers) -> bool:
    """Listen at the socket for this host, and return whether it is the gateway's own, and not made by systemd.

    Raises CannotListen and ConfigError.
    """
    listener = local_socket.handed_over()
    own = listener is None
    if listener is None:
        with named("server", str(path), "socket"):
            listener = await asyncio.to_thread(local_socket.make, path, here)
    await door.take(listener)
    log.info("listening", socket=str(path) if own else listener.getsockname())
    return own


def scrapers_door(metrics: Metrics, supervision: Supervision, deadlines: Deadlines) -> Door:
    """Return the door for scrapers, who are asked for no credentials."""
    settings = DoorSettings(deadlines, name="connections of scrapers")
    return Door(metrics.application(), Admission(possible(OF_SCRAPERS)), supervision, settings)


async def open_to_scrapers(door: Door, listen: str) -> None:
    """Listen at host:port. Raises CannotListen."""
    host, _, port = listen.rpartition(":")
    with named("metrics", listen):
        await door.open(host.strip("[]"), int(port))
    log.info("listening for scrapers", listen=listen)
