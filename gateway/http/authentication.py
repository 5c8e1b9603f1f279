"""Who makes a request, by which credential, and as whom; anonymous requests are refused (DSP0263 4.1.9).

Passwords come by HTTP Basic, and are compared at most once in a while; ``ways_in.py`` has the other credentials. Either
way the user, the project that was chosen and the role in it follow from what the store says at that moment: what is
taken away counts for no later request, and who stays connected is told.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog
from aiohttp import web
from prometheus_client import Counter

from gateway.errors import Forbidden, TooManyRequests, Unauthenticated
from gateway.http.local_socket import Peer
from gateway.http.login_limits import Attempt, LoginLimits, Withheld, too_many_of_pair
from gateway.http.password_threads import PasswordThreads
from gateway.http.ways_in import (
    CertificateLogin,
    Doors,
    Entry,
    OtherLogin,
    OtherWays,
    ProxyLogin,
    bearer_login,
)
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.directory import Directory, Standing, User
from gateway.users import COST, LONGEST_PASSWORD

REALM = 'Basic realm="cimi-gateway", charset="UTF-8"'
MOST_SESSIONS = 10_000
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


Login = PasswordLogin | OtherLogin


@dataclass(frozen=True, slots=True)
class Given:
    """The words of a request about who makes it, and its connection's."""

    authorization: str | None
    address: str
    project: str | None = None
    """Name of the project that it chooses (CIMI-Project)."""
    peer: Peer | None = None
    """The other end of the socket of this host."""
    certificate: bytes | None = None
    """Certificate of the client in DER."""
    proxied: str | None = None
    """Name of the user by the word of a trusted proxy."""

    @classmethod
    def of(cls, request: web.BaseRequest, address: str, proxied: str | None = None) -> Given:
        """Return what a request says; ``address`` is where it comes from."""
        headers, line = request.headers, request.protocol
        peer, certificate = getattr(line, "peer", None), getattr(line, "certificate", None)
        project = headers.get("CIMI-Project") or None
        return cls(headers.get("Authorization"), address, project, peer, certificate, proxied)

    @property
    def is_nobody(self) -> bool:
        """Whether nothing is said."""
        return self.authorization is None and _of_connection(self) is None


@dataclass(frozen=True, slots=True)
class Session:
    """A user who was let in, the name of the project that they chose, and as whom they act in it."""

    entry: Entry
    chosen: str | None
    standing: Standing

    def caller(self, request_id: str, address: str) -> Caller:
        """Return the caller of a request."""
        standing = self.standing
        return Caller(
            standing.user,
            standing.role,
            standing.project,
            request_id,
            address=address,
            credential=self.entry.credential,
            manages=standing.manages,
            reads_only=standing.reads_only,
            limited=standing.limited,
            confined=standing.confined,
        )


class Authentication:
    """The ways in, and who has given the right password lately. ``outcomes`` counts for /metrics."""

    def __init__(self, directory: Directory, doors: Doors | None = None) -> None:
        self._directory = directory
        self.outcomes = Counter("cimi_logins", "Logins that were not remembered", ("outcome",), registry=None)
        self.others = OtherWays(directory, self.outcomes, doors or Doors())
        self._sessions: dict[tuple[str, str, str | None], Session] = {}
        """Sessions as they follow from the directory as it is now."""
        self._at_hand: dict[tuple[OtherLogin, str | None], Session] = {}
        """The same, by what a request says."""
        directory.watch(self._sessions.clear)
        directory.watch(self._at_hand.clear)
        self._secret = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._comparing: dict[bytes, asyncio.Event] = {}
        self._limits = LoginLimits()
        self._threads = PasswordThreads()

    def close(self) -> None:
        """Compare no more passwords."""
        self._threads.close()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` whenever who may do what has changed."""
        self._directory.watch(watcher)

    async def authenticate(self, given: Given) -> Session:
        """Return who makes a request; credentials in it go before those of its connection.

        Raises Unauthenticated, TooManyRequests, and Forbidden for a project in which the user has no role.
        """
        header = given.authorization
        if header is not None and not _is_bearer(header):
            return self._session(Entry(await self._by_password(header, given.address), "password"), given.project)
        login = await self.others.bearer(header) if header is not None else _of_connection(given)
        if login is None:
            raise Unauthenticated("credentials are needed: a user's password by HTTP Basic, or a token as Bearer")
        return self._session(self.others.enter(login), given.project)

    def login_of(self, given: Given) -> Login | None:
        """Return what a request says of who makes it, to be remembered; None for what is no credential."""
        header = given.authorization
        if header is None:
            return _of_connection(given)
        if _is_bearer(header):
            return bearer_login(header)
        try:
            name, password = basic_credentials(header)
        except ValueError:
            return None
        return PasswordLogin(name, self._mark(name, password))

    def remembered(self, login: Login, chosen: str | None) -> Session | None:
        """Return who came by a login that needs no comparing now; None says nothing."""
        try:
            if not isinstance(login, PasswordLogin):
                return self._entered(login, chosen)
            user = self._directory.users.get(login.name)
            if user is None or not self._remembered(login.mark, user):
                return None
            self._remember(login.mark, user)
            return self._session(Entry(user, "password"), chosen)
        except (Forbidden, Unauthenticated):
            return None

    def _entered(self, login: OtherLogin, chosen: str | None) -> Session:
        """Return who comes by something else than a password: as at the last time, unless anything has changed."""
        session = self._at_hand.get((login, chosen))
        if session is not None and self.others.goes_on(session.entry):
            return session
        session = self._session(self.others.enter(login), chosen)
        if len(self._at_hand) >= MOST_SESSIONS:
            self._at_hand.clear()
        self._at_hand[login, chosen] = session
        return session

    def holds(self, session: Session) -> bool:
        """Return whether what made up a session is still so: for those who stay connected."""
        user = session.entry.user
        is_there = not user.path or self._directory.users.get(user.name) == user
        try:
            return is_there and self.others.holds(session.entry) and self._same(session)
        except Forbidden:
            return False

    def _same(self, session: Session) -> bool:
        return self._session(session.entry, session.chosen).standing == session.standing

    def _session(self, entry: Entry, chosen: str | None) -> Session:
        key = (entry.user.name, entry.credential, chosen)
        session = self._sessions.get(key)
        if session is None:
            session = Session(entry, chosen, self._directory.standing(entry.user, entry.token, chosen))
            if len(self._sessions) >= MOST_SESSIONS:
                self._sessions.clear()
            self._sessions[key] = session
        return session

    # Passwords

    async def _by_password(self, header: str, address: str) -> User:
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
            mark, self._directory.users.get(name)
        ):
            await self._wait(other, until if self._limits.withholds(address, name[:LONGEST_NAME]) else None)
        user = self._directory.users.get(name)
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


def _is_bearer(header: str) -> bool:
    """Return whether an Authorization header holds a token."""
    return header[:7].lower() == "bearer "


def _of_connection(given: Given) -> OtherLogin | None:
    """Return what the connection says of who has opened it, or the proxy at its end of whom it asks for."""
    if given.proxied is not None:
        return ProxyLogin(given.proxied)
    return CertificateLogin(given.certificate) if given.certificate is not None else given.peer


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
