"""Servers that are away, that break off, that lie, and that lead elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from cimi_client import (
    AnswerLost,
    CimiError,
    Client,
    Login,
    NotOffered,
    ProtocolError,
    Refused,
    Server,
    ServerAway,
    TooMany,
    Unprotected,
)

from tests.client.misbehaving import Misbehaving, hang_up, in_turn, says, sends
from tests.gateway_process import free_port

NAMESPACE = "http://schemas.dmtf.org/cimi/1"
MACHINES = {
    "resourceURI": f"{NAMESPACE}/MachineCollection",
    "id": "machines",
    "count": 0,
    "operations": [{"rel": "add", "href": "machines"}],
}
MACHINE = {"resourceURI": f"{NAMESPACE}/Machine", "id": "machines/1", "name": "m", "state": "STOPPED"}
KEYS = {"uri": f"{NAMESPACE}/capability/CloudEntryPoint/IdempotencyKey", "value": True}
METADATA = {
    "resourceURI": f"{NAMESPACE}/ResourceMetadataCollection",
    "count": 1,
    "resourceMetadatas": [
        {"id": "metadata/1", "typeURI": f"{NAMESPACE}/CloudEntryPoint", "capabilities": [KEYS]},
    ],
}


@pytest.fixture
async def server() -> AsyncIterator[Misbehaving]:
    one = Misbehaving()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def client(server: Misbehaving) -> AsyncIterator[Client]:
    async with Client(Server(server.url, Login("me", "secret"))) as one:
        yield one


@pytest.fixture
async def impatient(server: Misbehaving) -> AsyncIterator[Client]:
    async with Client(Server(server.url, Login("me", "secret"), patience=0)) as one:
        yield one


async def test_a_server_that_is_not_there_is_away() -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    async with Client(Server(url, patience=0)) as client:
        with pytest.raises(ServerAway, match=url):
            await client.entry_point()


async def test_a_server_that_never_answered_is_not_waited_for() -> None:
    async with Client(Server(f"http://127.0.0.1:{free_port()}/", patience=10_000)) as client:
        with pytest.raises(ServerAway, match="cannot be reached"):
            await client.entry_point()


async def test_a_read_is_repeated_until_the_server_answers(server: Misbehaving, client: Client) -> None:
    entry = {"resourceURI": f"{NAMESPACE}/CloudEntryPoint", "machines": {"href": "machines"}}
    server.answers["GET /"] = in_turn(hang_up, says({}, 503), says({}, 429, Retry_After="0"), says(entry))
    assert (await client.entry_point()).href("machines") == f"{server.url}machines"
    assert server.asked == ["GET /"] * 4


async def test_a_read_is_not_repeated_beyond_the_patience(server: Misbehaving, impatient: Client) -> None:
    server.answers["GET /"] = says({"statusMessage": "not now"}, 503)
    with pytest.raises(ServerAway, match="503: not now"):
        await impatient.entry_point()
    server.answers["GET /"] = says({"statusMessage": "too many"}, 429, Retry_After="7")
    with pytest.raises(TooMany, match="too many") as error:
        await impatient.entry_point()
    assert error.value.retry_after == 7


async def test_a_create_whose_answer_is_lost_is_repeated_with_its_key_where_keys_are_known(
    server: Misbehaving, client: Client
) -> None:
    entry = {"resourceMetadata": {"href": "metadata"}, "machines": {"href": "machines"}}
    server.answers |= {
        "GET /": says(entry),
        "GET /metadata": says(METADATA),
        "GET /machines": says(MACHINES),
        "POST /machines": in_turn(hang_up, says(MACHINE, 201, Location="machines/1")),
        "GET /machines/1": says(MACHINE),
    }
    assert (await (await client.create("machines", {"name": "m"}))).name == "m"
    keys = [request.headers["Idempotency-Key"] for request in server.requests if request.method == "POST"]
    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_a_create_whose_answer_is_lost_is_not_repeated_where_keys_are_not_known(
    server: Misbehaving, client: Client
) -> None:
    server.answers |= {"GET /machines": says(MACHINES), "POST /machines": hang_up}
    with pytest.raises(AnswerLost, match="whether it was made is not known"):
        await client.create("machines", {"name": "m"})
    assert server.asked.count("POST /machines") == 1


async def test_an_action_that_a_proxy_lost_is_not_repeated(server: Misbehaving, client: Client) -> None:
    server.answers |= {"GET /machines": says(MACHINES), "POST /machines": says({}, 502)}
    with pytest.raises(AnswerLost):
        await client.create("machines", {"name": "m"})
    assert server.asked.count("POST /machines") == 1


async def test_a_redirect_within_the_server_is_followed(server: Misbehaving, client: Client) -> None:
    server.answers |= {"GET /": sends(b"", status=307, Location="/cimi/"), "GET /cimi/": says({"name": "there"})}
    assert (await client.entry_point()).name == "there"


async def test_a_redirect_to_another_server_takes_no_password_there(server: Misbehaving, client: Client) -> None:
    server.answers["GET /"] = sends(b"", status=307, Location="http://127.0.0.1:1/")
    with pytest.raises(Unprotected, match="another server"):
        await client.entry_point()


async def test_a_link_to_another_server_takes_no_password_there(server: Misbehaving, client: Client) -> None:
    server.answers["GET /"] = says({"machines": {"href": "http://127.0.0.1:1/machines"}})
    with pytest.raises(Unprotected, match="another server"):
        await client.page("machines")


async def test_redirects_in_a_circle_end(server: Misbehaving, client: Client) -> None:
    server.answers["GET /"] = sends(b"", status=302, Location="/")
    with pytest.raises(CimiError, match="sends elsewhere"):
        await client.entry_point()
    assert len(server.asked) == 6


def test_a_password_goes_over_no_network_in_the_clear() -> None:
    login = Login("me", "secret")
    with pytest.raises(Unprotected, match=r"in the clear"):
        Client(Server("http://cloud.example/cimi/", login))
    Client(Server("http://cloud.example/cimi/", login, insecure=True))
    Client(Server("http://cloud.example/cimi/"))
    Client(Server("https://cloud.example/cimi/", login))


def test_a_login_shows_no_secrets() -> None:
    assert "secret" not in repr(Server("https://cloud.example/", Login("me", "secret", token="secret")))


@pytest.mark.parametrize("url", ["", "cloud.example", "ftp://cloud.example/", "http://", "http://[", "http://a:99999/"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(CimiError, match="URL"):
        Client(Server(url))


@pytest.mark.parametrize(
    ("body", "media"),
    [
        (b"", "application/json"),
        (b"<html></html>", "text/html"),
        (b"{", "application/json"),
        (b"[1, 2]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"<Machine>", "application/xml"),
        (b"<a>" * 1000 + b"</a>" * 1000, "application/xml"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "application/xml"),
    ],
)
async def test_what_is_no_cimi_is_said_to_be_none(server: Misbehaving, client: Client, body: bytes, media: str) -> None:
    server.answers["GET /machines/1"] = sends(body, media)
    with pytest.raises(ProtocolError, match="answer"):
        await client.get("machines/1")


async def test_an_answer_without_end_is_not_read_to_its_end(
    server: Misbehaving, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimi_client.connection.LARGEST_ANSWER", 1000)
    server.answers["GET /machines/1"] = sends(b" " * 100_000)
    with pytest.raises(ProtocolError, match="more than 1000 bytes"):
        await client.get("machines/1")


async def test_words_of_a_refusal_move_no_cursor(server: Misbehaving, client: Client) -> None:
    server.answers["GET /machines/1"] = says({"statusMessage": "no\x1b[2J\nway"}, 400)
    with pytest.raises(Refused) as error:
        await client.get("machines/1")
    assert str(error.value) == "no?[2J way"


async def test_pages_that_never_come_are_not_waited_for(server: Misbehaving, client: Client) -> None:
    server.answers["GET /machines"] = says({**MACHINES, "count": 3, "machines": [MACHINE]})
    with pytest.raises(NotOffered, match="has no pages"):
        assert [item async for item in client.items("machines")]
