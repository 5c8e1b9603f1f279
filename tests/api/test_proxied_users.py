"""A trusted proxy names the user in a header; from anywhere else the header means nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import config
from gateway.app import Gateway
from gateway.config.wire import check_proxy_header
from tests.api.accounts import remove
from tests.api.client import Answer, ApiClient

Clients = Callable[..., ApiClient]
NOWHERE = ["192.0.2.1/32"]
HERE = ["127.0.0.1/32"]


@pytest.fixture
def trusted() -> list[str]:
    return HERE


@pytest.fixture
def settings(settings: config.Settings, trusted: list[str]) -> config.Settings:
    server = replace(settings.server, trusted_proxies=trusted)
    return replace(settings, server=server, auth=replace(settings.auth, proxy_user_header="X-Remote-User"))


async def test_the_user_is_whom_the_proxy_names(client: Clients) -> None:
    proxy = client("")
    assert [item["name"] for item in (await named(proxy, "viewer")).json["users"]] == ["viewer"]
    assert (await proxy.request("PUT", "", {"name": "x"}, X_Remote_User="viewer")).status == 403
    assert (await proxy.request("PUT", "", {"name": "x"}, X_Remote_User="admin")).status == 200


async def named(proxy: ApiClient, user: str) -> Answer:
    return await proxy.get("users", X_Remote_User=user)


@pytest.mark.parametrize("name", ["nobody", "admin, viewer", "admin ", "x" * 5000])
async def test_who_is_no_user_is_refused(client: Clients, name: str) -> None:
    assert (await client("").get("machines", X_Remote_User=name)).status == (200 if name == "admin " else 401)


async def test_without_the_header_nobody_is_named(client: Clients) -> None:
    assert (await client("").get("machines")).status == 401
    assert (await client("").get("machines", X_Remote_User="")).status == 401


async def test_credentials_go_before_the_header(client: Clients) -> None:
    assert (await client("viewer").request("PUT", "", {"name": "x"}, X_Remote_User="admin")).status == 403


async def test_two_names_are_refused(admin: ApiClient) -> None:
    headers = [("X-Remote-User", "admin"), ("X-Remote-User", "viewer")]
    async with admin.session.get(f"{admin.base}machines", headers=headers) as answer:
        assert answer.status == 401


async def test_a_user_who_was_removed_opens_nothing_that_is_remembered(client: Clients, gateway: Gateway) -> None:
    proxy = client("")
    for _ in range(3):
        assert (await proxy.get("machineImages", X_Remote_User="viewer")).status == 200
    await remove(gateway, "viewer")
    assert (await proxy.get("machineImages", X_Remote_User="viewer")).status == 401


class TestFromElsewhere:
    @pytest.fixture
    def trusted(self) -> list[str]:
        return NOWHERE

    async def test_the_header_means_nothing(self, client: Clients) -> None:
        assert (await client("").get("machines", X_Remote_User="admin")).status == 401
        assert (await client("viewer").request("PUT", "", {"name": "x"}, X_Remote_User="admin")).status == 403


@pytest.mark.parametrize(
    ("header", "proxies"), [("X Y", HERE), ("Authorization", HERE), ("CIMI-Project", HERE), ("X-Remote-User", [])]
)
def test_a_header_that_cannot_be_is_named(header: str, proxies: list[str]) -> None:
    with pytest.raises(config.ConfigError, match="proxy_user_header"):
        check_proxy_header(Path("gateway.toml"), header, proxies)
