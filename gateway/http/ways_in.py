"""The ways in beside passwords: tokens, certificates of clients, the word of a proxy, and the socket of this host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from prometheus_client import Counter

from gateway import clock
from gateway.errors import Unauthenticated
from gateway.http.client_certificates import ClientCertificates, fingerprint_of
from gateway.http.local_socket import HostUsers, Peer
from gateway.orchestration.access.changes import HOST, MARK, digest_of
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.directory import Directory, Token, User

LONGEST_TOKEN = 128


@dataclass(frozen=True, slots=True)
class TokenLogin:
    """A token that came with a request, without its secret."""

    identity: str
    digest: str


@dataclass(frozen=True, slots=True)
class CertificateLogin:
    """A certificate by which a client has connected, in DER."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class ProxyLogin:
    """The name of a user whom a trusted proxy has let in."""

    name: str


OtherLogin: TypeAlias = TokenLogin | CertificateLogin | ProxyLogin | Peer


@dataclass(frozen=True, slots=True)
class Entry:
    """A user, and the credential that let them in, in words; with the token or the certificate where it was one."""

    user: User
    credential: str
    token: Token | None = None
    certificate: bytes | None = None


class Certificates(Protocol):
    """The certificates of clients."""

    def user(self, certificate: bytes, /) -> str | None:
        """Return the name of the user of a certificate in DER; None for nobody's."""
        ...


class OtherWays:
    """The tokens, certificates and accounts of this host. ``outcomes`` counts refused tokens for /metrics."""

    def __init__(
        self,
        directory: Directory,
        outcomes: Counter,
        host_users: HostUsers | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._directory = directory
        self._outcomes = outcomes
        self._host_users = host_users
        self._certificates = certificates or ClientCertificates()
        self.uses: dict[str, datetime] = {}
        """The paths of tokens that were used since somebody took these, each with the time of the last use."""

    def enter(self, login: OtherLogin) -> Entry:
        """Return whom a login lets in now. Raises Unauthenticated."""
        if isinstance(login, TokenLogin):
            return self._by_token(login)
        if isinstance(login, CertificateLogin):
            return self._by_certificate(login.certificate)
        if isinstance(login, ProxyLogin):
            return self._by_proxy(login.name)
        return self._by_socket(login)

    def token(self, header: str) -> TokenLogin:
        """Return the token of an Authorization header. Raises Unauthenticated; that is counted, and no more."""
        login = token_login(header)
        if login is None:
            self._outcomes.labels("malformed").inc()
            raise Unauthenticated("the Authorization header holds no token of this gateway")
        return login

    def holds(self, entry: Entry) -> bool:
        """Return whether an entry would still let the same user in: for those who stay connected."""
        if entry.token is not None and not self._valid(entry.token):
            return False
        return entry.certificate is None or self._certificates.user(entry.certificate) == entry.user.name

    def _by_token(self, login: TokenLogin) -> Entry:
        token = self._directory.tokens.get(login.identity)
        user = self._directory.users.get(token.user) if token is not None else None
        if token is None or user is None or token.digest != login.digest or not self._valid(token):
            self._outcomes.labels("wrong").inc()
            raise Unauthenticated("the token is wrong, was revoked, or is over")
        self.uses[token.path] = clock.now()
        return Entry(user, f"token {login.identity}", token)

    def _valid(self, token: Token) -> bool:
        """Return whether a token is still there as it was, and not over."""
        there = self._directory.tokens.get(token.path.rpartition("/")[2])
        return there == token and (token.expires is None or clock.now() < token.expires)

    def _by_certificate(self, certificate: bytes) -> Entry:
        user = self._directory.users.get(self._certificates.user(certificate) or "")
        if user is None:
            raise Unauthenticated("the certificate is no user's of this gateway")
        return Entry(user, f"certificate {fingerprint_of(certificate)}", certificate=certificate)

    def _by_proxy(self, name: str) -> Entry:
        user = self._directory.users.get(name)
        if user is None:
            raise Unauthenticated(f"the proxy names {name[:64]!r}, who is no user of this gateway")
        return Entry(user, "proxy")

    def _by_socket(self, peer: Peer) -> Entry:
        users, credential = self._host_users, f"uid {peer.uid}"
        if users is None:
            raise Unauthenticated("nobody comes in by this socket without credentials")
        if users.is_admin(peer):
            return Entry(User("", credential, Role.ADMIN, "", HOST), credential)
        user = self._directory.users.get(users.user(peer) or "")
        if user is None:
            raise Unauthenticated(f"{credential} is no user of this gateway; [auth] socket_users may make it one")
        return Entry(user, credential)


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
