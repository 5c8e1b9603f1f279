"""The ways in beside passwords: tokens, certificates of clients, the word of a proxy, and the socket of this host."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from prometheus_client import Counter

from gateway import clock
from gateway.errors import Unauthenticated
from gateway.http.client_certificates import ClientCertificates, fingerprint_of
from gateway.http.local_socket import HostUsers, Peer
from gateway.http.openid import LONGEST, Claims, OpenIdConnect
from gateway.orchestration.access.changes import HOST, MARK, digest_of
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.directory import BY_RANK, Directory, Token, User
from gateway.users import ROLES

LONGEST_TOKEN = 128
MOST_CLAIMS = 10_000


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


@dataclass(frozen=True, slots=True)
class OpenIdLogin:
    """A token of an OpenID Connect provider, by its digest."""

    digest: str


OtherLogin: TypeAlias = TokenLogin | CertificateLogin | ProxyLogin | OpenIdLogin | Peer


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


@dataclass(frozen=True, slots=True)
class Doors:
    """The ways in that the configuration has opened."""

    host_users: HostUsers | None = None
    certificates: Certificates | None = None
    openid: OpenIdConnect | None = None


class OtherWays:
    """The tokens, certificates and accounts of this host. ``outcomes`` counts refused tokens for /metrics."""

    def __init__(
        self,
        directory: Directory,
        outcomes: Counter,
        doors: Doors,
    ) -> None:
        self._directory = directory
        self._outcomes = outcomes
        self._host_users = doors.host_users
        self._certificates = doors.certificates or ClientCertificates()
        self._openid = doors.openid
        self._claims: OrderedDict[str, Claims] = OrderedDict()
        """What verified tokens of the OpenID provider say, by their digests."""
        self.uses: set[str] = set()
        """The paths of tokens that were used since somebody took these."""

    def enter(self, login: OtherLogin) -> Entry:
        """Return whom a login lets in now. Raises Unauthenticated."""
        if isinstance(login, TokenLogin):
            return self._by_token(login)
        if isinstance(login, CertificateLogin):
            return self._by_certificate(login.certificate)
        if isinstance(login, ProxyLogin):
            return self._by_proxy(login.name)
        if isinstance(login, OpenIdLogin):
            return self._by_claims(login.digest)
        return self._by_socket(login)

    async def bearer(self, header: str) -> TokenLogin | OpenIdLogin:
        """Return the token of an Authorization header. Raises Unauthenticated; that is counted, and no more."""
        login = bearer_login(header)
        if login is None or (isinstance(login, OpenIdLogin) and self._openid is None):
            self._outcomes.labels("malformed").inc()
            raise Unauthenticated("the Authorization header holds no token of this gateway")
        if isinstance(login, OpenIdLogin) and login.digest not in self._claims and self._openid is not None:
            try:
                claims = await self._openid.verified(header[7:].strip())
            except Unauthenticated:
                self._outcomes.labels("wrong").inc()
                raise
            self._claims[login.digest] = claims
            while len(self._claims) > MOST_CLAIMS:
                self._claims.popitem(last=False)
        return login

    def goes_on(self, entry: Entry) -> bool:
        """Return whether a token is not over since it was looked up last, and note its use; others have no end."""
        token = entry.token
        if token is None:
            return True
        if token.expires is not None and clock.now() >= token.expires:
            return False
        if token.path:
            self.uses.add(token.path)
        return True

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
        self.uses.add(token.path)
        return Entry(user, f"token {login.identity}", token)

    def _valid(self, token: Token) -> bool:
        """Return whether a token is still there as it was, and not over."""
        is_there = not token.path or self._directory.tokens.get(token.path.rpartition("/")[2]) == token
        return is_there and (token.expires is None or clock.now() < token.expires)

    def _by_certificate(self, certificate: bytes) -> Entry:
        user = self._directory.users.get(self._certificates.user(certificate) or "")
        if user is None:
            raise Unauthenticated("the certificate is no user's of this gateway")
        return Entry(user, f"certificate {fingerprint_of(certificate)}", certificate=certificate)

    def _by_claims(self, digest: str) -> Entry:
        claims = self._claims.get(digest)
        user = self._directory.users.get(claims.user) if claims is not None else None
        if claims is None or user is None:
            raise Unauthenticated("the token names no user of this gateway")
        roles = [Role(role) for role in claims.roles or () if role in ROLES]
        if claims.roles is not None and not roles:
            raise Unauthenticated("the token claims no role of this gateway")
        project = self._directory.project_id(claims.project) if claims.project is not None else None
        role = max(roles, key=BY_RANK.index) if roles else None
        limits = Token("", user.name, "", role, project=project, expires=claims.expires)
        if not self._valid(limits):
            raise Unauthenticated("the token is over")
        return Entry(user, f"oidc {digest[:32]}", limits)

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


def bearer_login(header: str) -> TokenLogin | OpenIdLogin | None:
    """Return the token of an Authorization header: one of this gateway's form, or one of an OpenID provider's."""
    text = header[7:].strip()
    if len(text) <= LONGEST and text.count(".") == 2:
        return OpenIdLogin(digest_of(text))
    return token_login(header)


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
