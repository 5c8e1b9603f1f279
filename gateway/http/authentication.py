"""Who makes a request, by which credential, and as whom; anonymous requests are refused (DSP0263 4.1.9).

A request comes by a password (HTTP Basic), a token (Bearer), the certificate of its connection, or the socket of this
host. Either way the user, the project that was chosen and the role in it follow from what the store says at that
moment: what is taken away counts for no later request, and who stays connected is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from prometheus_client import Counter

from gateway import clock
from gateway.errors import Forbidden, Unauthenticated
from gateway.http.client_certificates import ClientCertificates, fingerprint_of
from gateway.http.local_socket import HostUsers, Peer
from gateway.http.passwords import PasswordLogin, Passwords
from gateway.orchestration.access.changes import HOST, MARK, digest_of
from gateway.orchestration.common.contract import Caller, Role
from gateway.orchestration.common.directory import Directory, Standing, Token, User

REALM = 'Basic realm="cimi-gateway", charset="UTF-8"'
LONGEST_TOKEN = 128
MOST_STANDINGS = 10_000


@dataclass(frozen=True, slots=True)
class Given:
    """What a request says of who makes it."""

    authorization: str | None
    address: str
    project: str | None = None
    """Name of the project that it chooses (CIMI-Project)."""
    peer: Peer | None = None
    """Who has connected by the socket of this host."""

    certificate: bytes | None = None
    """Certificate of the client in DER."""

    @property
    def is_nobody(self) -> bool:
        """Whether nothing is said."""
        return self.authorization is None and self.peer is None and self.certificate is None


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A token that came with a request, without its secret."""

    identity: str
    digest: str


@dataclass(frozen=True, slots=True)
class CertificateLogin:
    """A certificate by which a client has connected, in DER."""

    certificate: bytes


Login = PasswordLogin | TokenLogin | Peer | CertificateLogin


@dataclass(frozen=True, slots=True)
class Session:
    """Who makes a request: the user, the token if they came by one, the project that they chose, and what follows."""

    user: User
    token: Token | None
    chosen: str | None
    standing: Standing
    credential: str
    certificate: bytes | None = None
    """Certificate that they came by, in DER."""

    def caller(self, request_id: str, address: str) -> Caller:
        """Return the caller of the request."""
        standing = self.standing
        return Caller(
            standing.user,
            standing.role,
            standing.project,
            request_id,
            address=address,
            credential=self.credential,
            manages=standing.manages,
            reads_only=standing.reads_only,
            limited=standing.limited,
            confined=standing.confined,
        )


class Certificates(Protocol):
    """The certificates of clients."""

    def user(self, certificate: bytes, /) -> str | None:
        """Return the name of the user of a certificate in DER; None for nobody's."""
        ...


class Authentication:
    """The ways in. ``outcomes`` counts logins that were not remembered, for /metrics."""

    def __init__(
        self, directory: Directory, host_users: HostUsers | None = None, certificates: Certificates | None = None
    ) -> None:
        self._directory = directory
        self._host_users = host_users
        self._certificates = certificates or ClientCertificates()
        self.outcomes = Counter("cimi_logins", "Logins that were not remembered", ("outcome",), registry=None)
        self._passwords = Passwords(directory, self.outcomes)
        self._standings: dict[tuple[str, str, str | None], Session] = {}
        """Sessions as they follow from the directory as it is now."""
        self.uses: dict[str, datetime] = {}
        """The paths of tokens that were used since somebody took these, each with the time of the last use."""
        directory.watch(self._standings.clear)

    def close(self) -> None:
        """Compare no more passwords."""
        self._passwords.close()

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call ``watcher`` whenever who may do what has changed."""
        self._directory.watch(watcher)

    async def authenticate(self, given: Given) -> Session:
        """Return who makes a request; credentials in it go before those of its connection.

        Raises Unauthenticated, TooManyRequests, and Forbidden for a project in which the user has no role.
        """
        if given.authorization is None:
            return self._by_connection(self.login_of(given), given.project)
        if _is_bearer(given.authorization):
            user, token = self._by_token(given.authorization)
            return self._session(user, token, given.project)
        user = await self._passwords.authenticate(given.authorization, given.address)
        return self._session(user, None, given.project)

    def _by_token(self, header: str) -> tuple[User, Token]:
        """Return the user of a token, and the token. Raises Unauthenticated; that is counted, and no more."""
        login = token_login(header)
        if login is None:
            self.outcomes.labels("malformed").inc()
            raise Unauthenticated("the Authorization header holds no token of this gateway")
        came = self._bearer(login)
        if came is None:
            self.outcomes.labels("wrong").inc()
            raise Unauthenticated("the token is wrong, was revoked, or is over")
        return came

    def login_of(self, given: Given) -> Login | None:
        """Return what a request says of who makes it, to be remembered; None for what is no credential."""
        if given.authorization is None and given.certificate is not None:
            return CertificateLogin(given.certificate)
        if given.authorization is None:
            return given.peer
        header = given.authorization
        return token_login(header) if _is_bearer(header) else self._passwords.login_of(header)

    def remembered(self, login: Login, chosen: str | None) -> Session | None:
        """Return who came by a login that needs no comparing now; None says nothing."""
        try:
            if isinstance(login, Peer | CertificateLogin):
                return self._by_connection(login, chosen)
            if isinstance(login, TokenLogin):
                came = self._bearer(login)
                return self._session(*came, chosen) if came is not None else None
            user = self._passwords.remembered(login)
            return self._session(user, None, chosen) if user is not None else None
        except (Forbidden, Unauthenticated):
            return None

    def holds(self, session: Session) -> bool:
        """Return whether what made up a session is still so: for those who stay connected."""
        user, token = session.user, session.token
        if session.certificate is not None and self._certificates.user(session.certificate) != user.name:
            return False
        if (user.path and self._directory.user(user.name) != user) or (token is not None and not self._valid(token)):
            return False
        try:
            return self._session(session.user, token, session.chosen).standing == session.standing
        except Forbidden:
            return False

    def _session(
        self,
        user: User,
        token: Token | None,
        chosen: str | None,
        credential: str = "password",
        certificate: bytes | None = None,
    ) -> Session:
        if token is not None:
            credential = f"token {token.path.rpartition('/')[2]}"
        key = (user.name, credential, chosen)
        session = self._standings.get(key)
        if session is None:
            session = Session(
                user, token, chosen, self._directory.standing(user, token, chosen), credential, certificate
            )
            if len(self._standings) >= MOST_STANDINGS:
                self._standings.clear()
            self._standings[key] = session
        return session

    def _by_connection(self, login: Login | None, chosen: str | None) -> Session:
        """Return who has opened the connection. Raises Unauthenticated for nobody, and Forbidden."""
        if isinstance(login, Peer):
            return self._by_socket(login, chosen)
        if not isinstance(login, CertificateLogin):
            raise Unauthenticated("credentials are needed: a user's password by HTTP Basic, or a token as Bearer")
        user = self._directory.user(self._certificates.user(login.certificate) or "")
        if user is None:
            raise Unauthenticated("the certificate is no user's of this gateway")
        return self._session(user, None, chosen, f"certificate {fingerprint_of(login.certificate)}", login.certificate)

    def _by_socket(self, peer: Peer, chosen: str | None) -> Session:
        """Return who has connected by the socket of this host. Raises Unauthenticated for nobody, and Forbidden."""
        users, credential = self._host_users, f"uid {peer.uid}"
        if users is None:
            raise Unauthenticated("nobody comes in by this socket without credentials")
        if users.is_admin(peer):
            return self._session(User("", credential, Role.ADMIN, "", HOST), None, chosen, credential)
        user = self._directory.user(users.user(peer) or "")
        if user is None:
            raise Unauthenticated(f"{credential} is no user of this gateway; [auth] socket_users may make it one")
        return self._session(user, None, chosen, credential)

    # Tokens

    def _bearer(self, login: TokenLogin) -> tuple[User, Token] | None:
        token = self._directory.token(login.identity)
        if token is None or token.digest != login.digest or not self._valid(token):
            return None
        user = self._directory.user(token.user)
        if user is None:
            return None
        self.uses[token.path] = clock.now()
        return user, token

    def _valid(self, token: Token) -> bool:
        """Return whether a token is still there as it was, and not over."""
        there = self._directory.token(token.path.rpartition("/")[2])
        return there == token and (token.expires is None or clock.now() < token.expires)


def _is_bearer(header: str) -> bool:
    return header[:7].lower() == "bearer "


def token_login(header: str) -> TokenLogin | None:
    """Return the token of an Authorization header, None where there is none of this gateway's form."""
    text = header[7:].strip()
    if len(text) > LONGEST_TOKEN:
        return None
    mark, _, rest = text.partition("_")
    identity, _, secret = rest.partition("_")
    if mark != MARK or not identity or not secret:
        return None
    # Digests of random secrets may be compared as they are: who guesses learns nothing of the secret by the time.
    return TokenLogin(identity, digest_of(secret))
