"""HTTP Basic: names with passwords, compared at most once in a while, and bounded for who guesses."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass

import structlog
from prometheus_client import Counter

from gateway.errors import TooManyRequests, Unauthenticated
from gateway.http.login_limits import Attempt, LoginLimits, Withheld, too_many_of_pair
from gateway.http.password_threads import PasswordThreads
from gateway.orchestration.common.directory import Directory, User
from gateway.users import COST, LONGEST_PASSWORD

REMEMBERED_SECONDS = 300.0
"""How long after its last use a right password needs no comparison."""
MOST_REMEMBERED = 1000
QUIET_SECONDS = 5.0
"""Seconds after which an attempt is answered whose refusal is withheld, whether or not anything was compared."""
AGAIN_AFTER = 5
"""Seconds after which who is behind a crowded address is to try again."""
LONGEST_NAME = 64
# Written, not made: making one takes a quarter of a second at each start. Nobody's password is compared with it as long
# as a user's, and never right.
NOBODY = f"$2b${COST:02}${'.' * 53}".encode()
log = structlog.get_logger("auth")


class WrongPassword(Unauthenticated):
    """The name or the password is wrong; ``name`` is the one that was claimed, cut to 64 characters."""

    def __init__(self, name: str) -> None:
        super().__init__("the user name or the password is wrong")
        self.name = name[:LONGEST_NAME]


@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """A name and a password that came with a request, without the password itself."""

    name: str
    mark: bytes


class Passwords:
    """The users who have given the right password lately. ``outcomes`` counts for /metrics."""

    def __init__(self, directory: Directory, outcomes: Counter) -> None:
        self._directory = directory
        self._secret = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._comparing: dict[bytes, asyncio.Event] = {}
        self._limits = LoginLimits()
        self._threads = PasswordThreads()
        self.outcomes = outcomes

    def close(self) -> None:
        """Compare no more passwords."""
        self._threads.close()

    async def authenticate(self, header: str, address: str) -> User:
        """Return the user of an Authorization header. Raises Unauthenticated, or TooManyRequests after many attempts.

        Refusals that do not say what came of the attempt come always as late.
        """
        name, password = self._credentials(header)
        loop = asyncio.get_running_loop()
        until = loop.time() + QUIET_SECONDS
        try:
            return await self._recognised(name, password, address, until)
        except Withheld:
            self.outcomes.labels("throttled").inc()
            await asyncio.sleep(max(0.0, until - loop.time()))
            raise

    async def _recognised(self, name: str, password: str, address: str, until: float) -> User:
        """Return the user, comparing the password once for several requests with it at once.

        ``until`` is when a refusal is due that does not say what came of the attempt.
        """
        mark = self._mark(name, password)
        while (other := self._comparing.get(mark)) is not None and not self._remembered(
            mark, self._directory.user(name)
        ):
            await self._wait(other, until if self._limits.withholds(address, name[:LONGEST_NAME]) else None)
        user = self._directory.user(name)
        if not self._remembered(mark, user):
            over = self._comparing[mark] = asyncio.Event()
            try:
                await self._log_in(user, name, password, address, until)
            finally:
                del self._comparing[mark]
                over.set()
        assert user is not None
        self._remember(mark, user)
        return user

    async def _wait(self, other: asyncio.Event, until: float | None) -> None:
        """Wait for another request's comparison. Raises Withheld at ``until``: later would tell that it goes on."""
        try:
            async with asyncio.timeout_at(until):
                await other.wait()
        except TimeoutError:
            raise _too_many_from_there() from None

    def login_of(self, header: str) -> PasswordLogin | None:
        """Return what an Authorization header says; None for what is not HTTP Basic."""
        try:
            name, password = basic_credentials(header)
            return PasswordLogin(name, self._mark(name, password))
        except ValueError:
            return None

    def remembered(self, login: PasswordLogin) -> User | None:
        """Return the user where the password was right lately, and is still the user's; None says nothing."""
        user = self._directory.user(login.name)
        if user is None or not self._remembered(login.mark, user):
            return None
        self._remember(login.mark, user)
        return user

    def _mark(self, name: str, password: str) -> bytes:
        return hmac.digest(self._secret, f"{name}\0{password}".encode(), hashlib.sha256)

    # One attempt

    async def _log_in(self, user: User | None, name: str, password: str, address: str, until: float) -> None:
        """Compare the password. Raises WrongPassword or TooManyRequests."""
        attempt = self._limits.begin(address, name[:LONGEST_NAME])
        try:
            if attempt.quiet:
                right = await self._quietly(attempt, user, password, until)
            else:
                right = await self._openly(attempt, user, password)
        finally:
            self._limits.end(attempt)
        if not right:
            self.outcomes.labels("wrong").inc()
            log.warning("login refused", user=name[:LONGEST_NAME], address=address)
            raise WrongPassword(name)
        self._limits.succeeded(attempt)
        self.outcomes.labels("right").inc()

    async def _openly(self, attempt: Attempt, user: User | None, password: str) -> bool:
        try:
            return await self._matches(attempt, user, password)
        except TooManyRequests:
            self._limits.take_back(attempt)
            self.outcomes.labels("throttled").inc()
            raise

    async def _quietly(self, attempt: Attempt, user: User | None, password: str, until: float) -> bool:
        """Return True when it is right. Raises Withheld for everything else, no later than ``until``.

        Users get in so behind an address from which others flood, and these learn nothing: neither which names there
        are, nor who logs in from there, nor that a password was compared.
        """
        turn = self._limits.turn(attempt, QUIET_SECONDS / 2) if user is not None else None
        if turn is not None:
            with suppress(TooManyRequests, TimeoutError):
                async with asyncio.timeout_at(until):
                    await asyncio.sleep(turn)
                    if await self._matches(attempt, user, password):
                        return True
        if attempt.pause:
            raise too_many_of_pair(attempt.pause)
        raise _too_many_from_there()

    async def _matches(self, attempt: Attempt, user: User | None, password: str) -> bool:
        data = password.encode()
        hashed = user.hash.encode() if user is not None and user.hash else NOBODY
        right = await self._threads.matches(data[:LONGEST_PASSWORD], hashed, first=attempt.trusted)
        return user is not None and bool(user.hash) and right and len(data) <= LONGEST_PASSWORD

    # What was right lately

    def _remembered(self, mark: bytes, user: User | None) -> bool:
        moment, hashed = self._good.get(mark, (0.0, ""))
        return (
            user is not None and bool(hashed) and hashed == user.hash and time.monotonic() - moment < REMEMBERED_SECONDS
        )

    def _remember(self, mark: bytes, user: User) -> None:
        self._good[mark] = (time.monotonic(), user.hash)
        self._good.move_to_end(mark)
        while len(self._good) > MOST_REMEMBERED:
            self._good.popitem(last=False)

    def _credentials(self, header: str) -> tuple[str, str]:
        """Return name and password.

        Credentials that are not HTTP Basic are counted, and no more: they cost a stranger nothing.
        """
        try:
            return basic_credentials(header)
        except ValueError:
            self.outcomes.labels("malformed").inc()
            raise Unauthenticated("the Authorization header is not HTTP Basic") from None


def _too_many_from_there() -> Withheld:
    return Withheld("too many logins from this address; try again in a moment", AGAIN_AFTER)


def basic_credentials(header: str) -> tuple[str, str]:
    """Return the name and the password of an Authorization header. Raises ValueError for what is not HTTP Basic.

    aiohttp's ``BasicAuth.decode`` is deprecated, and takes no blanks around the credentials.
    """
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise ValueError(f"the scheme {scheme[:20]!r} is not Basic")
    name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    if not colon:
        raise ValueError("there is no colon between name and password")
    return name, password
