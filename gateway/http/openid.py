"""Tokens of an OpenID Connect provider: who they name, as far as its keys have signed it (RFC 7519, 7517).

The provider's keys are fetched by the rules of addresses that images are fetched by, and kept. A token with a key that
is not among them has them fetched again, at most once a minute: strangers can send any.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import jwt
import structlog

from drivers.base import DriverError
from gateway.config import OidcSettings
from gateway.errors import Unauthenticated, Unavailable

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Those with a public key alone: with a secret one, or none, whoever knows the public key could sign."""
PUBLIC = ("RSA", "EC", "OKP")
"""Kinds of keys that sign with a secret part."""
LONGEST = 8192
"""Characters of a token."""
MOST_BYTES = 262_144
"""Bytes of the provider's documents."""
FRESH_SECONDS = 3600.0
AGAIN_SECONDS = 60.0
LEEWAY = 60
"""Seconds by which the provider's clock may differ."""
CONFIGURATION = "/.well-known/openid-configuration"
log = structlog.get_logger("auth")


class Fetching(Protocol):
    """A fetcher of small documents by URL."""

    async def small(self, url: str, most: int) -> bytes:
        """Return a document of at most ``most`` bytes. Raises DriverError."""
        ...


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token: the user's name, the roles and the project where these are said, and its end."""

    user: str
    roles: tuple[str, ...] | None
    project: str | None
    expires: datetime


class OpenIdConnect:
    """The provider of the configuration, and its keys."""

    def __init__(self, settings: OidcSettings, fetcher: Fetching) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching = asyncio.Lock()

    async def verified(self, token: str) -> Claims:
        """Return what a token says. Raises Unauthenticated, and Unavailable when the keys cannot be had."""
        try:
            kid = str(jwt.get_unverified_header(token[:LONGEST]).get("kid", ""))
            key = await self._key(kid)
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Unauthenticated(f"the token is not accepted: {_words(error)}") from None
        return self._read(claims)

    def _read(self, claims: dict[str, Any]) -> Claims:
        settings = self._settings
        user = claims.get(settings.user_claim)
        if not isinstance(user, str) or not user:
            raise Unauthenticated(f"the token has no claim {settings.user_claim}")
        roles = _texts(claims.get(settings.role_claim)) if settings.role_claim else None
        projects = _texts(claims.get(settings.project_claim)) if settings.project_claim else ()
        if settings.project_claim and len(projects) != 1:
            raise Unauthenticated(f"the claim {settings.project_claim} names {len(projects)} projects, not one")
        expires = datetime.fromtimestamp(float(claims["exp"]), UTC)
        return Claims(user, roles, projects[0] if projects else None, expires)

    # Keys

    async def _key(self, kid: str) -> jwt.PyJWK:
        if kid not in self._keys or self._is_stale():
            async with self._fetching:
                if (kid not in self._keys or self._is_stale()) and self._may_try():
                    await self._fetch()
        if self._fetched is None:
            raise Unavailable("the keys of the OpenID provider cannot be had; try again later")
        key = self._keys.get(kid)
        if key is None:
            raise Unauthenticated("the token is signed by a key that the OpenID provider does not have")
        return key

    def _is_stale(self) -> bool:
        return self._fetched is None or time.monotonic() - self._fetched > FRESH_SECONDS

    def _may_try(self) -> bool:
        return self._tried is None or time.monotonic() - self._tried > AGAIN_SECONDS

    async def _fetch(self) -> None:
        """Take up the provider's keys; when they cannot be had the former ones stay."""
        self._tried = time.monotonic()
        try:
            configuration = await self._document(self._settings.issuer.rstrip("/") + CONFIGURATION)
            keys = await self._document(str(configuration["jwks_uri"]))
            public = [key for key in keys["keys"] if key.get("kty") in PUBLIC and key.get("use", "sig") == "sig"]
            self._keys = {key.key_id or "": key for key in map(jwt.PyJWK, public)}
        except (DriverError, jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.error("keys of the OpenID provider not taken up", issuer=self._settings.issuer, reason=_words(error))
            return
        self._fetched = time.monotonic()

    async def _document(self, url: str) -> dict[str, Any]:
        document = json.loads(await self._fetcher.small(url, MOST_BYTES))
        if not isinstance(document, dict):
            raise ValueError(f"{url[:200]} is no JSON object")
        return document


def _texts(claim: object) -> tuple[str, ...]:
    """Return the texts of a claim, which is one or a list of them."""
    entries = claim if isinstance(claim, list) else [claim]
    return tuple(entry for entry in entries if isinstance(entry, str))


def _words(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
