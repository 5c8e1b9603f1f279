"""A look at who may come in: the users and their tokens, the socket of this host, and proxies that name users."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from gateway.clock import now
from gateway.config import ConfigError, Settings
from gateway.doctor.finding import Finding
from gateway.http.local_socket import HostUsers
from gateway.store.offline import OfflineStore
from gateway.users import UsersError, read

FORGOTTEN = timedelta(days=90)
"""The time without a use after which a token that has no end is perhaps forgotten."""
MOST_PROXIES = 256
"""Addresses that may well all be proxies."""


def findings(settings: Settings) -> Iterator[Finding]:
    """Yield what there is to say of who may come in."""
    yield from users(settings)
    if settings.server.socket:
        yield socket(settings)
    if settings.auth.proxy_user_header:
        yield from proxies(settings)


def users(settings: Settings) -> Iterator[Finding]:
    """Yield whether there is an admin, and which tokens are perhaps forgotten: in the store, or before the first start
    in the users file.
    """
    path = Path(settings.store.path)
    try:
        if path.exists():
            with OfflineStore.open(path) as store:
                if store.has_users:
                    yield Finding("ok", "users", f"{len(store.documents('User'))} in {path}")
                    yield from _tokens(store)
                    return
        yield _first_users(Path(settings.auth.users_file))
    except (sqlite3.Error, OSError) as error:
        yield Finding("warning", "users", f"{path} cannot be looked at for users: {error}")


def _tokens(store: OfflineStore) -> Iterator[Finding]:
    for path, created, document in store.documents("Token"):
        used = datetime.fromisoformat(document.get("lastUse", created))
        identity, user = path.rpartition("/")[2], document["userName"]
        if "expires" in document and datetime.fromisoformat(document["expires"]) <= now():
            yield Finding("warning", "tokens", f"{identity} of {user} is over", f"cimi-gateway token revoke {identity}")
        elif "expires" not in document and now() - used > FORGOTTEN:
            words = f"{identity} of {user} has no end, and was not used since {used:%Y-%m-%d}"
            yield Finding("warning", "tokens", words, f"cimi-gateway token revoke {identity}, unless it is needed")


def _first_users(path: Path) -> Finding:
    try:
        entries = read(path)
    except UsersError as error:
        return Finding("error", "users", error.message)
    if not any(user.role == "admin" for user in entries.values()):
        return Finding("error", "users", "there is no admin", "cimi-gateway user add NAME --role admin")
    return Finding("ok", "users", f"{len(entries)} in {path}, for the first start")


def socket(settings: Settings) -> Finding:
    """Return whether the socket for this host can be had, and who may open it."""
    path = Path(settings.server.socket)
    try:
        here = HostUsers(settings.server.socket_group, settings.auth.socket_users)
    except ConfigError as error:
        return Finding("error", "socket", error.message)
    if path.exists() and not stat.S_ISSOCK(path.stat().st_mode):
        return Finding("error", "socket", f"{path} is there, and is no socket", "move it, or change [server] socket")
    if not path.parent.is_dir():
        return Finding("warning", "socket", f"{path.parent} is not there", "the unit's RuntimeDirectory makes it")
    everybody = ", and everybody may open it" if here.mapped else ""
    return Finding("ok", "socket", f"{path}: root and the group of gid {here.gid} are admins{everybody}")


def proxies(settings: Settings) -> Iterator[Finding]:
    """Yield the networks of proxies that are so large that others than proxies could name users from there."""
    for entry in settings.server.trusted_proxies:
        if ip_network(entry).num_addresses > MOST_PROXIES:
            words = f"whoever sends from {entry} may say which user they are ([auth] proxy_user_header)"
            yield Finding("warning", "proxies", words, "name the proxies' own addresses in [server] trusted_proxies")
