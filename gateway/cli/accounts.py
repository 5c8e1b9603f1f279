"""Where the commands change users, projects and tokens: at the gateway that runs, or else in its store.

Either way the same is done as over HTTP. Before a gateway's first start there is no store: users alone then go into
the users file, of which the first start makes users.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gateway.cli.account_types import AccountError, Accounts, Users
from gateway.cli.local import LocalGateway
from gateway.cli.local_accounts import LocalAccounts
from gateway.cli.stored_accounts import StoredAccounts
from gateway.cli.users_file import UsersFile
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.store.offline import OfflineStore
from gateway.store.schema import is_locked


def users_of(settings: Settings) -> Users:
    """Return where the users are. Raises AccountError for a gateway that runs and has no socket."""
    if _running(settings) is not None or _in_store(settings):
        return accounts_of(settings)
    return UsersFile(settings)


def accounts_of(settings: Settings) -> Accounts:
    """Return where users, projects and tokens are. Raises AccountError where there are none yet, or no way to them."""
    running = _running(settings)
    if running is not None:
        return LocalAccounts(running)
    if is_locked(Path(settings.store.path)):
        raise AccountError(
            "the gateway runs, and does not answer at [server] socket: name one in the configuration and restart the "
            "gateway, or stop it for this command"
        )
    if not _in_store(settings):
        raise AccountError("there are no users in the store yet: start the gateway once")
    return StoredAccounts(settings)


def _running(settings: Settings) -> LocalGateway | None:
    """Return the gateway that answers at the configured socket; None when none does."""
    socket = settings.server.socket
    gateway = LocalGateway(Path(socket))
    return gateway if socket and gateway.answers() else None


def _in_store(settings: Settings) -> bool:
    path = Path(settings.store.path)
    if is_locked(path):
        return True
    if not path.exists():
        return False
    try:
        with OfflineStore.open(path) as store:
            return store.has_users
    except sqlite3.Error as error:
        raise GatewayError(f"{path} cannot be looked at for users: {error}") from None
