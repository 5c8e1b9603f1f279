"""Tokens: made by users themselves, in both formats, and of no use once they are revoked, over or limited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway import clock
from gateway.app import Gateway
from gateway.clock import timestamp
from gateway.orchestration.access.uses import TokenUses
from gateway.orchestration.common.contract import Role
from tests.api.accounts import remove, set_role
from tests.api.client import ApiClient
from tests.api.streams import listening
from tests.patience import eventually

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
EXTENSION = "{http://cimi-gateway.org/ns/1}"


async def made(maker: ApiClient, **limits: Any) -> tuple[ApiClient, str]:
    """A client that comes by a new token, and the token's path."""
    answer = await maker.post("tokens", limits)
    assert answer.status == 201, answer.text
    return replace(maker, token=answer.json["token"]), answer.location.removeprefix(maker.base)


async def test_who_comes_by_a_token_is_its_user(client: Clients, image: str) -> None:
    bearer, _ = await made(client("operator"))
    machine = await bearer.post("machines", bearer.machine(image), Prefer="wait=30")
    assert machine.status == 201
    assert (await client("operator").get(machine.location)).status == 200
    assert (await client("other").get(machine.location)).status == 404


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_a_token_is_shown_once(client: Clients, media: str) -> None:
    viewer = client("viewer", media)
    body = {"name": "scripts"} if media == "json" else b"<TokenCreate><name>scripts</name></TokenCreate>"
    answer = await viewer.post("tokens", body)
    text = answer.json["token"] if media == "json" else answer.xml.findtext(f"{EXTENSION}token")
    assert text is not None and text.startswith("cimi_")
    assert (await replace(viewer, token=text).get("")).status == 200
    for url in (answer.location, "tokens", "tokens?$expand=*", "?$expand=tokens"):
        assert text not in (await viewer.get(url)).text


async def test_nothing_of_a_token_that_opens_anything_is_in_the_store(
    client: Clients, gateway: Gateway, capfd: pytest.CaptureFixture[str]
) -> None:
    bearer, _ = await made(client("operator"))
    await bearer.get("machines")
    secret = bearer.token.rpartition("_")[2].encode()
    for name in ("gateway.db", "gateway.db-wal"):
        assert secret not in gateway.store.path.with_name(name).read_bytes()
    written = capfd.readouterr()
    assert secret.decode() not in written.out + written.err


async def test_a_revoked_token_opens_nothing_that_is_remembered(client: Clients) -> None:
    operator = client("operator")
    bearer, path = await made(operator)
    for _ in range(3):
        assert (await bearer.get("machineImages")).status == 200
    assert (await operator.delete(path)).status == 200
    assert (await bearer.get("machineImages")).status == 401


async def test_a_token_that_is_over_opens_nothing_that_is_remembered(
    client: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    bearer, _ = await made(client("operator"), expires=timestamp(clock.now() + timedelta(hours=1)))
    for _ in range(3):
        assert (await bearer.get("machineImages")).status == 200
    now = clock.now() + timedelta(hours=1)
    monkeypatch.setattr(clock, "now", lambda: now)
    assert (await bearer.get("machineImages")).status == 401


@pytest.mark.parametrize("what", ["revoked", "over", "user removed"])
async def test_the_live_stream_of_a_token_ends_with_it(client: Clients, gateway: Gateway, what: str) -> None:
    operator = client("operator")
    ends = {"expires": timestamp(clock.now() + timedelta(seconds=0.5))} if what == "over" else {}
    bearer, path = await made(operator, **ends)
    async with listening(bearer) as stream:
        if what == "revoked":
            assert (await operator.delete(path)).status == 200
        elif what == "user removed":
            await remove(gateway, "operator")
        with pytest.raises(EOFError):
            await stream.until(lambda _message: False)


async def test_a_stream_by_password_goes_on_when_a_token_is_revoked(client: Clients) -> None:
    operator = client("operator")
    _, path = await made(operator)
    async with listening(operator) as stream:
        assert (await operator.delete(path)).status == 200
        await operator.post("credentials", {"credentialTemplate": {"key": "ssh-ed25519 AAAA me@here"}})
        await stream.until(lambda message: "credentials" in "".join(message.data))


@pytest.mark.parametrize(
    "text",
    ["cimi_0123456789abcdef_x", "cimi__", "cimi_x", "x", "", "cimi_" + "a" * 500, "\xff", "cimi_\u2028_x"],
)
async def test_what_is_no_token_is_refused(admin: ApiClient, text: str) -> None:
    async with admin.session.get(f"{admin.base}machines", headers={"Authorization": f"Bearer {text}"}) as answer:
        assert answer.status == 401


async def test_a_token_with_another_secret_is_refused(client: Clients) -> None:
    bearer, _ = await made(client("operator"))
    changed = bearer.token[:-1] + ("a" if bearer.token[-1] != "a" else "b")
    assert (await replace(bearer, token=changed).get("machines")).status == 401


async def test_a_token_that_only_reads_changes_nothing_and_offers_no_operation(client: Clients, image: str) -> None:
    admin = client("admin")
    reading, _ = await made(admin, readOnly=True)
    assert (await reading.get(image)).status == 200
    assert "operations" not in await reading.document(image)
    assert "operations" in await admin.document(image)
    for answer in (await reading.delete(image), await reading.post("machines", reading.machine(image))):
        assert (answer.status, "only reads" in answer.message) == (403, True)


async def test_a_token_allows_no_more_than_its_role(client: Clients, image: str) -> None:
    bearer, _ = await made(client("admin"), role="operator")
    assert (await bearer.put("", {"name": "x"})).status == 403
    viewing, _ = await made(client("operator"), role="viewer")
    assert (await viewing.post("machines", viewing.machine(image))).status == 403


async def test_a_token_allows_no_more_than_its_user_may_now(client: Clients, gateway: Gateway) -> None:
    bearer, _ = await made(client("admin"), role="admin")
    assert (await bearer.put("", {"name": "x"})).status == 200
    await set_role(gateway, "other", Role.ADMIN)
    await set_role(gateway, "admin", Role.VIEWER)
    assert (await bearer.put("", {"name": "y"})).status == 403


async def test_a_limited_token_gives_out_nothing(client: Clients) -> None:
    """What it gave out would be worth more, or live longer, than it does itself."""
    admin = client("admin")
    bearer, _ = await made(admin, expires="2100-01-01T00:00:00Z")
    own = (await admin.document("users?$filter=name='admin'"))["users"][0]["id"]
    assert (await bearer.post("tokens", {})).status == 403
    assert (await bearer.post("users", {"name": "eve", "role": "admin"})).status == 403
    assert (await bearer.put(f"{own}?$select=password", {"password": "new"})).status == 403


async def test_tokens_of_others_are_not_there(client: Clients) -> None:
    _, path = await made(client("operator"))
    other = client("other")
    assert (await other.get(path)).status == 404
    assert (await other.delete(path)).status == 404
    assert (await other.document("tokens"))["count"] == 0
    assert (await client("admin").document("tokens"))["count"] == 1


async def test_only_an_admin_makes_tokens_for_others(client: Clients) -> None:
    assert (await client("operator").post("tokens", {"userName": "other"})).status == 403
    answer = await client("admin").post("tokens", {"userName": "other"})
    assert (await replace(client("other"), token=answer.json["token"]).get("machines")).status == 200


@pytest.mark.parametrize(
    ("wish", "named"),
    [
        ({"expires": "2020-01-01T00:00:00Z"}, "expires"),
        ({"userName": "nobody"}, "userName"),
        ({"role": "king"}, "role"),
        ({"project": {"href": "projects/none"}}, "project"),
    ],
)
async def test_a_wish_that_cannot_be_is_named(admin: ApiClient, wish: dict[str, Any], named: str) -> None:
    answer = await admin.post("tokens", wish)
    assert (answer.status, answer.message.startswith(named)) == (400, True)


async def test_the_tokens_of_a_user_are_bounded(client: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.orchestration.access.changes.MOST_TOKENS", 2)
    answers = [(await client("operator").post("tokens", {})).status for _ in range(3)]
    assert answers == [201, 201, 403]


async def test_the_last_use_is_written_now_and_then(client: Clients, gateway: Gateway) -> None:
    operator = client("operator")
    bearer, path = await made(operator)
    assert "lastUse" not in await operator.document(path)
    await bearer.get("machines")
    await TokenUses(gateway.store, gateway.authentication.others.uses).turn()
    assert (await operator.document(path))["lastUse"]


async def test_tokens_are_announced(admin: ApiClient) -> None:
    metadata = await admin.document("resourceMetadata/Token")
    assert metadata["typeURI"] == "http://cimi-gateway.org/ns/1/Token"
    assert {entry["name"] for entry in metadata["attributes"]} >= {"readOnly", "expires", "lastUse", "token"}
    assert (await admin.document(""))["tokens"]["href"] == f"{admin.base}tokens"


async def test_a_wrong_token_is_counted_and_not_told(admin: ApiClient, gateway: Gateway) -> None:
    """Strangers could fill the log by it."""

    async def refused() -> int:
        return int((await admin.document("eventLogs/everything"))["summary"]["medium"])

    before = await refused()
    headers = {"Authorization": "Bearer cimi_0123456789abcdef_x"}
    async with admin.session.delete(f"{admin.base}machines/1", headers=headers) as answer:
        assert answer.status == 401
    assert await refused() == before
    assert gateway.authentication.outcomes.labels("wrong")._value.get() == 1


async def test_a_retry_of_a_create_makes_no_second_token(client: Clients) -> None:
    operator = client("operator")
    first, second = [await operator.post("tokens", {}, Idempotency_Key="k") for _ in range(2)]
    assert first.location == second.location
    assert "token" not in second.json

    async def one() -> bool:
        return bool((await operator.document("tokens"))["count"] == 1)

    await eventually(one, "there is one token")
