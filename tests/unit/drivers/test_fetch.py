"""Fetching by URL: which addresses are connected to, and what servers may do to us."""

from __future__ import annotations

import os
import socket
from contextlib import aclosing
from typing import Any

import pytest

from drivers.base import DriverInvalid, DriverUnreachable, RemoteFile
from drivers.web import fetch
from drivers.web.addresses import AddressRules
from drivers.web.fetch import FetchRules, HttpFetcher
from tests.web_server import WebServer, serving

LOOPBACK = ("127.0.0.0/8",)
DATA = os.urandom(1_000_000)
HEAD, TAIL = 1000, 100


def fetcher(**rules: Any) -> HttpFetcher:
    return HttpFetcher(FetchRules(**{"private_networks": LOOPBACK, "stall": 0.5, "connect": 2.0, **rules}))


@pytest.fixture(params=[True, False] if fetch.SOCKET_FACTORY else [False], ids="ours {}".format)
def sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets that we make, and those of an aiohttp that makes them itself, as Debian 13's does."""
    monkeypatch.setattr(fetch, "SOCKET_FACTORY", request.param)


async def fetched(url: str, **rules: Any) -> bytes:
    found = bytearray()
    client = fetcher(**rules)
    remote = await client.look(url, HEAD, TAIL)
    async with aclosing(client.fetch(url, remote)) as pieces:
        async for piece in pieces:
            found += piece
    return bytes(found)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "fe80::1%eth0", "192.0.2.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(DriverInvalid, match="private_networks"):
        AddressRules().check(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are_allowed(address: str) -> None:
    AddressRules().check(address)


def test_a_configured_network_is_allowed_and_no_other() -> None:
    rules = AddressRules(["10.1.0.0/16"])
    rules.check("10.1.2.3")
    rules.check("::ffff:10.1.2.3")
    with pytest.raises(DriverInvalid):
        rules.check("10.2.0.1")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://host/x", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http:///x", "host"),
        ("http://user:secret@example.org/x", "password"),
        ("http://example.org:99999/", "URL"),
        ("http://10.0.0.1/x", "private_networks"),
        ("http://[::1]/x", "private_networks"),
        ("http://[fe80::1]/x", "private_networks"),
        ("https://x/" + "a" * 5000, "characters"),
    ],
)
def test_urls_that_must_not_be_asked_for_are_refused_before_anything_is_sent(url: str, reason: str) -> None:
    with pytest.raises(DriverInvalid, match=reason):
        fetcher().check(url)


async def test_a_look_tells_size_abilities_and_both_ends() -> None:
    async with serving(WebServer(DATA)) as server:
        remote = await fetcher().look(server.url, HEAD, TAIL)
    assert remote == RemoteFile(len(DATA), True, '"v1"', DATA[:HEAD], DATA[-TAIL:])


async def test_a_server_without_ranges_is_looked_at_too() -> None:
    async with serving(WebServer(DATA, ranges=False, tag=None)) as server:
        remote = await fetcher().look(server.url, HEAD, TAIL)
    assert remote == RemoteFile(len(DATA), False, None, DATA[:HEAD], b"")


@pytest.mark.parametrize("bad", [{}, {"ranges": False}, {"chunked": True, "ranges": False}, {"tag": None}])
async def test_the_bytes_come_as_they_are(bad: dict[str, Any]) -> None:
    async with serving(WebServer(DATA, **bad)) as server:
        assert await fetched(server.url) == DATA


async def test_a_broken_connection_goes_on_where_it_broke() -> None:
    async with serving(WebServer(DATA, break_at=900_000, breaks=2)) as server:
        assert await fetched(server.url) == DATA
        assert server.asked[-1][1] not in (None, "bytes=0-")


async def test_a_connection_that_breaks_again_and_again_fails_with_the_place() -> None:
    async with serving(WebServer(DATA, break_at=900_000, ranges=False)) as server:
        with pytest.raises(DriverUnreachable, match=r"broke off after \d+ of 1000000 bytes"):
            await fetched(server.url)


async def test_without_a_validator_nothing_is_pieced_together() -> None:
    async with serving(WebServer(DATA, break_at=900_000, breaks=1, tag=None)) as server:
        with pytest.raises(DriverUnreachable, match="broke off"):
            await fetched(server.url)


async def test_a_file_that_changes_meanwhile_is_noticed() -> None:
    async with serving(WebServer(DATA)) as server:
        remote = await fetcher().look(server.url, HEAD, TAIL)
        server.tag = '"v2"'
        with pytest.raises(DriverUnreachable, match="changed"):
            async for _piece in fetcher().fetch(server.url, remote):
                pass


async def test_a_server_that_stalls_is_given_up() -> None:
    async with serving(WebServer(DATA, stall_at=500_000, ranges=False)) as server:
        with pytest.raises(DriverUnreachable, match="nothing came"):
            await fetched(server.url)


async def test_a_server_that_announces_more_than_it_sends_is_noticed() -> None:
    async with serving(WebServer(DATA, claim=len(DATA) + 5000, ranges=False)) as server:
        with pytest.raises(DriverUnreachable, match="broke off after 1000000 of 1005000"):
            await fetched(server.url)


async def test_a_file_larger_than_allowed_is_refused_at_the_first_look() -> None:
    async with serving(WebServer(DATA)) as server:
        with pytest.raises(DriverInvalid, match="at most 999999"):
            await fetcher(largest=999_999).look(server.url, HEAD, TAIL)


async def test_a_file_of_unknown_length_is_cut_off_at_the_cap() -> None:
    async with serving(WebServer(DATA, chunked=True, ranges=False)) as server:
        with pytest.raises(DriverInvalid, match="more than 999999 bytes"):
            await fetched(server.url, largest=999_999)


async def test_a_redirect_to_an_allowed_place_is_followed() -> None:
    async with serving(WebServer(DATA)) as target, serving(WebServer(b"", redirect=target.url + "/there")) as server:
        assert await fetched(server.url + "/away") == DATA


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("http://10.0.0.1/secret", "redirected to 10.0.0.1"),
        ("http://169.254.169.254/latest", "redirected to 169.254.169.254"),
        ("file:///etc/passwd", "scheme"),
        ("/away", "5 redirects"),
        ("http://[", "no URL"),
    ],
)
async def test_a_redirect_that_leads_astray_is_refused(target: str, reason: str) -> None:
    async with serving(WebServer(DATA, redirect=target)) as server:
        with pytest.raises(DriverInvalid, match=reason):
            await fetcher().look(server.url + "/away", HEAD, TAIL)


@pytest.mark.usefixtures("sockets")
async def test_a_name_that_stands_for_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(WebServer(DATA)) as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(DriverInvalid, match="private_networks"):
            await fetcher(private_networks=()).look(f"http://localhost:{port}/", HEAD, TAIL)
        assert server.asked == []


@pytest.mark.usefixtures("sockets")
async def test_a_name_that_changes_its_address_between_two_looks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: the first answer is an allowed address, the second one is not."""
    answers = iter(["127.0.0.1", "127.0.0.1", "10.0.0.1"])
    resolve = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *more: Any, **rest: Any) -> Any:
        if host == "rebind.test":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]
        return resolve(host, port, *more, **rest)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    async with serving(WebServer(DATA)) as server:
        url = f"http://rebind.test:{server.url.rpartition(':')[2]}/"
        with pytest.raises(DriverInvalid, match=r"10\.0\.0\.1 is no public address"):
            await fetched(url)


@pytest.mark.usefixtures("sockets")
@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "017700000001"])
async def test_other_ways_to_write_an_address_are_refused(host: str) -> None:
    with pytest.raises(DriverInvalid):
        await fetcher(private_networks=()).look(f"http://{host}/", HEAD, TAIL)


async def test_an_unknown_name_is_told() -> None:
    with pytest.raises(DriverInvalid, match="not known"):
        await fetcher().look("http://no-such-host.invalid/", HEAD, TAIL)


async def test_a_proxy_in_the_environment_means_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
    async with serving(WebServer(DATA)) as server:
        assert await fetched(server.url) == DATA


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_answers_are_refused(encoding: str) -> None:
    async with serving(WebServer(DATA, headers={"Content-Encoding": encoding})) as server:
        with pytest.raises(DriverInvalid, match="compresses"):
            await fetcher().look(server.url, HEAD, TAIL)


async def test_nothing_listens_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(DriverUnreachable, match="no connection"):
            await fetcher().look(f"http://127.0.0.1:{free.getsockname()[1]}/", HEAD, TAIL)
