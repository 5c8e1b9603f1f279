"""The live stream: what happens comes, and what happened while the connection was broken comes too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from cimi_client import Client, Denied, Message, NotOffered, ProtocolError, Resource, Server, live
from cimi_client.stream import parsed

from tests.client.misbehaving import Misbehaving, in_turn, says, sends, streams
from tests.client.other_provider import OtherProvider


async def first(messages: AsyncIterator[Message], kind: str) -> Message:
    return await anext(message async for message in messages if message.kind == kind)


async def test_what_happens_comes_as_events_and_jobs(either: Client, machine: Resource) -> None:
    async with aclosing(live(either)) as messages:
        opened = await anext(messages)
        await (await either.act(await either.get(machine.id), "start"))
        events = (message.resource.part("content") async for message in messages if message.kind == "event")
        started = await anext(content async for content in events if content.state == "STARTED")
        assert started.href("resource") == machine.id
    assert opened.id is not None


async def test_a_job_comes_as_it_goes_on(client: Client, machine: Resource) -> None:
    async with aclosing(live(client)) as messages:
        await anext(messages)
        await (await client.act(machine, "start"))
        job = await first(messages, "job")
        assert job.resource.href("targetResource") == machine.id


async def test_the_lines_of_a_jobs_log_come_to_who_wants_them(either: Client, machine: Resource) -> None:
    async with aclosing(live(either, job_lines=True)) as messages:
        await anext(messages)
        job = await (await either.act(await either.get(machine.id), "start"))
        assert job is not None
        line = await first(messages, "jobline")
    log = [one.id async for one in either.items(job.resource.href("log") or "")]
    assert line.resource.id in log
    assert line.resource.text("step") == "begin"


async def test_what_was_missed_comes_after_the_id_that_was_last(client: Client, machine: Resource) -> None:
    async with aclosing(live(client)) as messages:
        opened = await anext(messages)
    await (await client.act(machine, "start"))
    async with aclosing(live(client, opened.id)) as messages:
        contents = (message.resource.part("content") async for message in messages if message.kind == "event")
        assert await anext(content async for content in contents if content.href("resource") == machine.id)


# A stream that breaks


@pytest.fixture
async def server() -> AsyncIterator[Misbehaving]:
    one = Misbehaving()
    one.answers["GET /"] = says({"eventStream": "stream"})
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def listener(server: Misbehaving, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    monkeypatch.setattr("cimi_client.stream.FIRST_PAUSE", 0.0)
    async with Client(Server(server.url)) as client:
        yield client


async def test_a_broken_stream_goes_on_after_the_last_id(server: Misbehaving, listener: Client) -> None:
    server.answers["GET /stream"] = in_turn(
        streams('id: 5\nevent: event\ndata: {"name": "a"}\n\nid: 6\nevent: event\ndata: {"na', broken=True),
        streams('id: 6\nevent: event\ndata: {"name": "b"}\n\n'),
    )
    async with aclosing(live(listener)) as messages:
        assert [(await anext(messages)).resource.name, (await anext(messages)).resource.name] == ["a", "b"]
    assert [request.headers.get("Last-Event-ID") for request in server.requests[1:]] == [None, "5"]


async def test_a_server_without_room_is_asked_again(server: Misbehaving, listener: Client) -> None:
    server.answers["GET /stream"] = in_turn(says({}, 429, Retry_After="0"), says({}, 503), streams("id: 1\n\n"))
    async with aclosing(live(listener)) as messages:
        assert (await anext(messages)).id == "1"


async def test_a_reader_whose_right_ends_is_told(server: Misbehaving, listener: Client) -> None:
    revoked = says({"statusMessage": "the token was revoked"}, 401)
    server.answers["GET /stream"] = in_turn(streams("id: 1\n\n", broken=True), revoked)
    async with aclosing(live(listener)) as messages:
        await anext(messages)
        with pytest.raises(Denied, match="the token was revoked"):
            await anext(messages)


async def test_what_is_no_stream_is_refused(server: Misbehaving, listener: Client) -> None:
    server.answers["GET /stream"] = sends(b"{}")
    with pytest.raises(ProtocolError, match="no stream of events"):
        await anext(live(listener))


async def test_a_provider_without_stream_says_so(other: OtherProvider) -> None:
    async with Client(Server(other.url)) as client:
        with pytest.raises(NotOffered, match="no live stream"):
            await anext(live(client))


async def pieces(*texts: str) -> AsyncIterator[bytes]:
    for text in texts:
        yield text.encode()


async def test_messages_are_read_however_they_are_cut() -> None:
    text = ': alive\n\nid: 1\r\nevent: job\r\ndata: {"a":\r\ndata: 1}\r\n\r\nid:2\n\n'
    whole = [message async for message in parsed(pieces(text))]
    assert whole == [("job", "1", '{"a":\n1}'), ("message", "2", "")]
    assert [message async for message in parsed(pieces(*text))] == whole


async def test_a_line_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cimi_client.stream.LARGEST_MESSAGE", 100)
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        assert [message async for message in parsed(pieces(*["data: x"] * 100))]
