"""Tokens of an OpenID Connect provider: those that it has signed for this gateway let their user in, and no others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway import clock, config
from gateway.app import Gateway
from gateway.config.wire import check_oidc
from gateway.http import openid
from tests.api.accounts import remove
from tests.api.client import ApiClient
from tests.api.streams import listening
from tests.web_server import WebServer, serving

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]


@dataclass
class Provider:
    """Signs what it is told, by a key that it shows."""

    web: WebServer
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    def publish(self, kid: str = "k1", **more: Any) -> None:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        keys = {"keys": [{**public, "kid": kid, "use": "sig", "alg": "RS256"}], **more}
        self.web.others = {
            openid.CONFIGURATION: json.dumps({"jwks_uri": f"{self.web.url}/keys"}).encode(),
            "/keys": json.dumps(keys).encode(),
        }

    def token(self, kid: str = "k1", key: Any = None, algorithm: str = "RS256", **claims: Any) -> str:
        said = {
            "iss": self.web.url,
            "aud": "cimi",
            "exp": datetime.now(UTC) + timedelta(hours=1),
            "preferred_username": "operator",
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key or self.key, algorithm, headers={"kid": kid})


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with serving(WebServer(b"")) as web:
        made = Provider(web)
        made.publish()
        yield made


@pytest.fixture
def claims() -> dict[str, str]:
    """More of [oidc]."""
    return {}


@pytest.fixture
def settings(settings: config.Settings, provider: Provider, claims: dict[str, str]) -> config.Settings:
    oidc = config.OidcSettings(provider.web.url, "cimi", private_networks=["127.0.0.0/8"], **claims)
    return replace(settings, oidc=oidc)


async def status(client: Clients, token: str) -> int:
    return (await replace(client(""), token=token).get("machines")).status


async def test_a_token_lets_in_whom_it_names(client: Clients, provider: Provider) -> None:
    bearer = replace(client(""), token=provider.token())
    assert [item["name"] for item in (await bearer.document("users"))["users"]] == ["operator"]
    assert (await bearer.put("", {"name": "x"})).status == 403
    admin = replace(client(""), token=provider.token(preferred_username="admin"))
    assert (await admin.put("", {"name": "x"})).status == 200


async def test_the_keys_are_fetched_once(client: Clients, provider: Provider) -> None:
    for number in range(5):
        assert await status(client, provider.token(jti=str(number))) == 200
    assert len(provider.web.asked) == 2


@pytest.mark.parametrize(
    "claims_of_it",
    [
        {"exp": -timedelta(minutes=5)},
        {"exp": None},
        {"nbf": timedelta(minutes=5)},
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"preferred_username": None},
        {"preferred_username": "nobody"},
        {"preferred_username": ["operator"]},
    ],
    ids=lambda claims_of_it: next(iter(claims_of_it.items()))[0],
)
async def test_a_token_that_is_not_for_here_is_refused(
    client: Clients, provider: Provider, claims_of_it: dict[str, Any]
) -> None:
    # Tests are gathered long before they run: what is said of time is so from now on.
    now = datetime.now(UTC)
    claims: dict[str, Any] = {
        name: now + value if isinstance(value, timedelta) else value for name, value in claims_of_it.items()
    }
    assert await status(client, provider.token(**claims)) == 401


async def test_clocks_may_differ_a_little(client: Clients, provider: Provider) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert await status(client, provider.token(nbf=soon, iat=soon)) == 200


async def test_what_another_key_has_signed_is_refused(client: Clients, provider: Provider) -> None:
    other = rsa.generate_private_key(65537, 2048)
    assert await status(client, provider.token(key=other)) == 401
    assert await status(client, provider.token(key=ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")) == 401


async def test_what_a_secret_or_nothing_has_signed_is_refused(client: Clients, provider: Provider) -> None:
    """Also where the secret is what everybody can read."""
    secret = str(json.loads(provider.web.others["/keys"])["keys"][0]["n"]).encode()
    assert await status(client, provider.token(key=secret, algorithm="HS256")) == 401
    header, payload, _ = provider.token().split(".")
    none = jwt.encode({}, "", "none").split(".")[0]
    assert await status(client, f"{none}.{payload}.") == 401
    assert await status(client, f"{header}.{payload}.") == 401


@pytest.mark.parametrize("text", ["a.b.c", "..", "é.é.é", "." * 500, "a." * 4000])
async def test_what_is_no_token_is_refused(client: Clients, text: str) -> None:
    assert await status(client, text) == 401


async def test_a_new_key_of_the_provider_is_taken_up(
    client: Clients, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await status(client, provider.token()) == 200
    provider.key = rsa.generate_private_key(65537, 2048)
    provider.publish("k2")
    assert await status(client, provider.token("k2")) == 401, "not before a minute is over"
    monkeypatch.setattr(openid, "AGAIN_SECONDS", 0.0)
    assert await status(client, provider.token("k2")) == 200


async def test_strangers_have_the_keys_fetched_no_more_than_once_a_minute(client: Clients, provider: Provider) -> None:
    for number in range(10):
        assert await status(client, provider.token(f"unknown {number}")) == 401
    assert len(provider.web.asked) == 2


async def test_a_provider_that_is_away_is_said_and_keeps_nobody_else_out(client: Clients, provider: Provider) -> None:
    provider.web.others["/keys"] = b"no keys"
    assert await status(client, provider.token()) == 503
    assert (await client("operator").get("machines")).status == 200


async def test_a_token_that_is_over_or_whose_user_is_gone_opens_nothing_that_is_remembered(
    client: Clients, provider: Provider, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer = replace(client(""), token=provider.token())
    viewer = replace(client(""), token=provider.token(preferred_username="viewer"))
    for _ in range(3):
        assert (await bearer.get("machineImages")).status == 200
        assert (await viewer.get("machineImages")).status == 200
    await remove(gateway, "viewer")
    assert (await viewer.get("machineImages")).status == 401
    now = clock.now() + timedelta(hours=2)
    monkeypatch.setattr(clock, "now", lambda: now)
    assert (await bearer.get("machineImages")).status == 401


async def test_the_live_stream_ends_with_the_token(client: Clients, provider: Provider) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=2)
    async with listening(replace(client(""), token=provider.token(exp=soon))) as stream:
        with pytest.raises(EOFError):
            await stream.until(lambda _message: False)


async def test_it_gives_out_nothing(client: Clients, provider: Provider) -> None:
    bearer = replace(client(""), token=provider.token(preferred_username="admin"))
    assert (await bearer.post("tokens", {})).status == 403


class TestClaims:
    @pytest.fixture
    def claims(self) -> dict[str, str]:
        return {"role_claim": "roles", "project_claim": "team"}

    async def test_they_bound_role_and_project(self, client: Clients, admin: ApiClient, provider: Provider) -> None:
        team = (await admin.post("projects", {"name": "team"})).location
        await admin.post(f"{team}/members", {"userName": "operator", "role": "operator"})
        key = {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}}
        bearer = replace(client(""), token=provider.token(roles=["operator", "elsewhere"], team="team"))
        assert (await bearer.post("credentials", key)).status == 201
        viewing = replace(client(""), token=provider.token(roles="viewer", team="team"))
        assert (await viewing.document("credentials"))["count"] == 1
        assert (await viewing.post("credentials", key)).status == 403
        assert (await client("operator").document("credentials"))["count"] == 0

    @pytest.mark.parametrize(
        ("said", "status_of_it"),
        [
            ({"roles": ["elsewhere"], "team": "operator"}, 401),
            ({"team": "operator"}, 401),
            ({"roles": "operator"}, 401),
            ({"roles": "operator", "team": ["operator", "other"]}, 401),
            ({"roles": "operator", "team": "other"}, 403),
            ({"roles": "operator", "team": "none"}, 403),
        ],
    )
    async def test_others_are_refused(
        self, client: Clients, provider: Provider, said: dict[str, Any], status_of_it: int
    ) -> None:
        assert await status(client, provider.token(**said)) == status_of_it


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://elsewhere.example", "audience": "a"},
        {"issuer": "https://i.example"},
        {"issuer": "https://i.example", "audience": "a", "user_claim": ""},
        {"issuer": "https://i.example", "audience": "a", "private_networks": ["x"]},
    ],
)
def test_a_configuration_that_nobody_could_trust_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(config.ConfigError, match=r"\[oidc\]"):
        check_oidc(Path("gateway.toml"), config.OidcSettings(**wrong))
