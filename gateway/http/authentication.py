"""HTTP Basic against the users file; anonymous requests are refused (DSP0263 4.1.9)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from pathlib import Path

import bcrypt
import structlog

from gateway.errors import TooManyRequests, Unauthenticated
from gateway.orchestration.permissions import Role
from gateway.users import COST, LONGEST_PASSWORD, User, UsersError, read

REALM = 'Basic realm="cimi-gateway", charset="UTF-8"'
REMEMBERED_SECONDS = 300.0
MOST_REMEMBERED = 1000
FREE_FAILURES = 10
FORGIVEN_AFTER = 60.0
# Written, not made: making one takes a quarter of a second at each start. Nobody's password is compared with it as long
# as a user's, and never right.
NOBODY = f"$2b${COST:02}${'.' * 53}".encode()
log = structlog.get_logger("auth")


class Authentication:
    def __init__(self, users_file: Path) -> None:
        self._path = users_file
        self._users: dict[str, User] = {}
        self._stamp: tuple[int, int] | None = None
        self._secret = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._failures: OrderedDict[tuple[str, str], tuple[int, float]] = OrderedDict()

    async def authenticate(self, header: str | None, address: str) -> tuple[str, Role]:
        """User and role. Raises Unauthenticated, or TooManyRequests after many wrong passwords."""
        name, password = _credentials(header)
        self._reload()
        user = self._users.get(name)
        mark = hmac.digest(self._secret, f"{name}\0{password}".encode(), hashlib.sha256)
        if user is not None and self._remembered(mark, user):
            return user.name, Role(user.role)
        self._throttle(address, name)
        data = password.encode()
        known = user.hash.encode() if user is not None else NOBODY
        right = await asyncio.to_thread(_matches, data[:LONGEST_PASSWORD], known)
        if user is None or not right or len(data) > LONGEST_PASSWORD:
            self._failed(address, name)
            raise Unauthenticated("the user name or the password is wrong")
        self._good[mark] = (time.monotonic(), user.hash)
        while len(self._good) > MOST_REMEMBERED:
            self._good.popitem(last=False)
        self._failures.pop((address, name), None)
        return user.name, Role(user.role)

    def user(self, name: str) -> User | None:
        """The user as the users file has them now: for those who stay connected."""
        self._reload()
        return self._users.get(name)

    def _reload(self) -> None:
        """Take up a changed users file; a broken one keeps what was known."""
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._users = read(self._path)
        except UsersError as error:
            log.error("users file not taken up", reason=error.message)

    def _remembered(self, mark: bytes, user: User) -> bool:
        known = self._good.get(mark)
        return known is not None and known[1] == user.hash and time.monotonic() - known[0] < REMEMBERED_SECONDS

    def _throttle(self, address: str, name: str) -> None:
        count, since = self._failures.get((address, name), (0, 0.0))
        if count >= FREE_FAILURES and time.monotonic() - since < FORGIVEN_AFTER:
            raise TooManyRequests("too many wrong passwords; wait a minute", retry_after=int(FORGIVEN_AFTER))

    def _failed(self, address: str, name: str) -> None:
        count, _ = self._failures.get((address, name), (0, 0.0))
        self._failures[(address, name)] = (count + 1, time.monotonic())
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)
        log.warning("login refused", user=name[:64], address=address)


def _credentials(header: str | None) -> tuple[str, str]:
    if header is None:
        raise Unauthenticated("credentials are needed: HTTP Basic with a user of this gateway")
    scheme, _, encoded = header.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        if not colon:
            raise ValueError
    except (ValueError, binascii.Error):
        raise Unauthenticated("the Authorization header is not HTTP Basic") from None
    return name, password


def claimed_user(header: str | None) -> str:
    """Who a request says it comes from, whether or not that is true; empty when it says nothing."""
    try:
        return _credentials(header)[0][:64]
    except Unauthenticated:
        return ""


def _matches(password: bytes, known: bytes) -> bool:
    try:
        return bcrypt.checkpw(password, known)
    except ValueError:
        return False
