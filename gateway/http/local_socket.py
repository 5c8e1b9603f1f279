"""The socket for this host: made by the gateway, or handed to it by systemd, and who is at its other end."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.config import ConfigError
from gateway.http.admission import Listener

LONGEST_PATH = 107
"""Bytes of the path of a socket (unix(7))."""
FIRST_HANDED = 3
"""The descriptor of the first socket that systemd hands over (sd_listen_fds(3))."""
CREDENTIALS = struct.Struct("3i")
"""SO_PEERCRED: process, user and group of who has connected."""
FOR_THE_GROUP, FOR_ALL = 0o660, 0o666
BACKLOG = 128


@dataclass(frozen=True, slots=True)
class Peer:
    """The account of this host that has connected, by the word of the kernel."""

    uid: int
    gid: int


def peer_of(connection: socket.socket | None) -> Peer | None:
    """Return who is at the other end of a socket of this host; None for any other one."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    _, uid, gid = CREDENTIALS.unpack(data)
    return Peer(uid, gid)


class HostUsers:
    """The users of this host: root, the gateway's own and those of the socket's group are admins.

    ``mapped`` are ``account = user``: an account of this host, by its name or uid, is that user of the gateway.
    """

    def __init__(self, group: str, mapped: Iterable[str]) -> None:
        """Look the group and the accounts up. Raises ConfigError for one that is not there."""
        self.gid = _gid(group) if group else os.getegid()
        self.mapped = dict(map(_pair, mapped))
        entry = grp.getgrgid(self.gid) if group or self.mapped else None
        members = {_uid(name) for name in entry.gr_mem} if entry is not None else set()
        self._admins = frozenset({0, os.geteuid(), *members})

    @property
    def mode(self) -> int:
        """Return the mode of the socket: without mapped accounts nobody else needs to open it."""
        return FOR_ALL if self.mapped else FOR_THE_GROUP

    def is_admin(self, peer: Peer) -> bool:
        """Return whether the peer is an admin. A socket that only these may open has let nobody else in."""
        return not self.mapped or peer.uid in self._admins or peer.gid == self.gid

    def user(self, peer: Peer) -> str | None:
        """Return the name of the user that the peer is by the configuration; None for nobody."""
        return self.mapped.get(peer.uid)


def _pair(entry: str) -> tuple[int, str]:
    account, equals, user = (part.strip() for part in entry.partition("="))
    if not equals or not account or not user:
        raise ConfigError(f"[auth] socket_users: {entry!r} is not account = user")
    return _uid(account), user


def _uid(account: str) -> int:
    if account.isdecimal():
        return int(account)
    try:
        return pwd.getpwnam(account).pw_uid
    except KeyError:
        raise ConfigError(f"[auth] socket_users: this host has no account {account!r}") from None


def _gid(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(f"[server] socket_group: this host has no group {group!r}") from None


def is_handed_over() -> bool:
    """Return whether systemd has made a socket for this process, which was not taken yet."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS", "0") != "0"


def handed_over() -> Listener | None:
    """Return the socket that systemd has made for this process, None without one; it is taken once."""
    if not is_handed_over():
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    listener = Listener(fileno=FIRST_HANDED)
    os.set_inheritable(listener.fileno(), False)
    listener.setblocking(False)
    if listener.family != socket.AF_UNIX:
        listener.close()
        return None
    return listener


def make(path: Path, users: HostUsers) -> Listener:
    """Listen at a path, in place of a socket that a gateway left which is no more. Raises OSError, ConfigError.

    The socket has its name when nobody else may open it any more who must not.
    """
    if len(os.fsencode(path)) + len(".new") > LONGEST_PATH:
        raise ConfigError(f"[server] socket: {path} is longer than the {LONGEST_PATH - 4} bytes that a socket may have")
    if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"[server] socket: {path} is there, and is no socket")
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    listener = Listener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Between bind and chmod nobody may open it.
        mask = os.umask(0o777)
        try:
            listener.bind(str(new))
        finally:
            os.umask(mask)
        if users.gid != os.getegid():
            os.chown(new, -1, users.gid)
        new.chmod(users.mode)
        listener.listen(BACKLOG)
        listener.setblocking(False)
        new.replace(path)
    except BaseException:
        listener.close()
        new.unlink(missing_ok=True)
        raise
    return listener


def remove(path: Path) -> None:
    """Take the socket's name away."""
    with suppress(OSError):
        path.unlink()
