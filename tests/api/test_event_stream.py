"""The live stream: in order, each user's own, gone on with where it broke off, and never with a gap in silence."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from xml.etree import ElementTree

import aiohttp
import pytest

from demo.basic_auth import basic_auth
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.http import event_stream
from gateway.orchestration.monitoring.occurrences import alarm
from gateway.orchestration.monitoring.recorder import tell
from tests.api.accounts import remove
from tests.api.client import ApiClient
from tests.api.streams import Message, listening
from tests.patience import PATIENCE, eventually

pytestmark = pytest.mark.slow

Client = Callable[..., ApiClient]


def is_state(state: str, kind: str = "Machine") -> Callable[[Message], bool]:
    def fits(message: Message) -> bool:
        if message.event != "event":
            return False
        content = message.json["content"]
        return bool(content.get("state") == state and content.get("resType", "").endswith(f"/{kind}"))

    return fits


async def many_alarms(gateway: Gateway, count: int) -> None:
    """Events in bulk, with long details."""
    entry = await gateway.store.get("cloudEntryPoint")
    assert entry is not None
    for _ in range(0, count, 500):
        async with gateway.store.transaction() as transaction:
            await tell(transaction, *(alarm(entry, f"test-{number}", "x" * 500) for number in range(500)))


async def test_the_entry_point_names_the_stream_and_metadata_announces_it(admin: ApiClient, client: Client) -> None:
    assert (await admin.document(""))["eventStream"] == admin.base + "eventStream"
    own = (await client("admin", "xml").get("")).xml.findtext("{http://cimi-gateway.org/ns/1}eventStream")
    assert own == admin.base + "eventStream"
    metadata = await admin.document("resourceMetadata/CloudEntryPoint")
    [attribute] = [entry for entry in metadata["attributes"] if entry["name"] == "eventStream"]
    assert attribute["namespace"] == "http://cimi-gateway.org/ns/1"


async def test_events_and_jobs_come_in_order_as_they_happen(admin: ApiClient, machine: str) -> None:
    async with listening(admin) as stream:
        await stream.raw()
        await admin.acted(machine, "stop")
        found = await stream.until(is_state("SUCCESS", "Job"))
    told = [message.json for message in found if message.event == "event"]
    kinds = [(event["type"].rpartition("/")[2], event["content"].get("state")) for event in told]
    assert kinds == [("access", None), ("state", "STOPPING"), ("state", "STOPPED"), ("state", "SUCCESS")]
    ids = [int(message.id) for message in found if message.id is not None]
    assert ids == list(range(ids[0], ids[0] + len(ids)))
    job = next(message.json for message in found if message.event == "job")
    assert job["targetResource"]["href"] == machine


async def test_a_reader_who_was_away_gets_what_was_missed_and_nothing_twice(admin: ApiClient, machine: str) -> None:
    async with listening(admin) as stream:
        here = (await stream.raw()).id
    assert here is not None
    await admin.acted(machine, "stop")
    async with listening(admin, Last_Event_ID=here) as stream:
        missed = await stream.until(is_state("SUCCESS", "Job"))
        await admin.acted(machine, "start")
        live = await stream.until(is_state("SUCCESS", "Job"))
    ids = [int(message.id) for message in missed + live if message.id is not None]
    assert ids == list(range(int(here) + 1, ids[-1] + 1))
    assert any(is_state("STOPPED")(message) for message in missed)
    assert any(is_state("STARTED")(message) for message in live)


async def test_the_id_may_stand_in_the_query_too(admin: ApiClient, machine: str) -> None:
    async with listening(admin, "?lastEventId=0") as stream:
        assert (await stream.next()).id == "1"


async def test_a_reader_whose_events_are_gone_is_told_so(admin: ApiClient, machine: str, gateway: Gateway) -> None:
    async with gateway.store.transaction() as transaction:
        await transaction.forget_events("eventLogs/everything", 4, 100)
    async with listening(admin, Last_Event_ID="1") as stream:
        gap = await stream.next()
        assert (gap.event, gap.json) == ("gap", {"lost": 2, "oldest": 4})
        assert (await stream.next()).id == "4"


async def test_a_reader_from_another_life_of_the_store_is_told_so(admin: ApiClient, machine: str) -> None:
    async with listening(admin, Last_Event_ID="4711") as stream:
        assert (await stream.next()).event == "gap"


async def test_users_get_what_is_theirs(client: Client, image: str, machine: str) -> None:
    admin, operator, other = client("admin"), client("operator"), client("other")
    async with listening(operator) as mine, listening(other) as theirs, listening(admin) as all_of_them:
        await operator.post("machines", operator.machine(image))
        await admin.acted(machine, "stop")
        await other.post("machines", other.machine(image))
        for stream, user in ((mine, "operator"), (theirs, "other")):
            found = await stream.until(is_state("STARTED"))
            owners = {entry.json["content"].get("initiator", user) for entry in found if entry.event == "event"}
            assert owners == {user}
            assert machine not in str([message.data for message in found])
        seen = str([message.data for message in await all_of_them.until(is_state("STARTED"))])
        assert "operator" in seen


async def test_jobs_that_run_are_told_at_once(admin: ApiClient, machine: str, driver: MemoryDriver) -> None:
    driver.state.deaf = True
    job = (await admin.act(machine, "stop")).job
    async with listening(admin) as stream:
        first = await stream.next()
    assert (first.event, first.json["id"], first.json["state"]) == ("job", job, "RUNNING")


async def test_the_stream_speaks_xml_when_asked(admin: ApiClient, machine: str) -> None:
    async with listening(admin, "?$format=xml&lastEventId=0") as stream:
        message = await stream.next()
    assert ElementTree.fromstring("\n".join(message.data)).tag == "{http://schemas.dmtf.org/cimi/1}Event"


@pytest.mark.parametrize("header", ["x", "-1", "1.5", "9" * 30])
async def test_an_id_that_is_none_is_refused_by_name(admin: ApiClient, header: str) -> None:
    answer = await admin.get("eventStream", Last_Event_ID=header)
    assert answer.status == 400
    assert "Last-Event-ID" in answer.message


async def test_the_stream_is_for_users_and_read_only(admin: ApiClient) -> None:
    assert (await ApiClient(admin.session, admin.base, "").get("eventStream")).status == 401
    assert (await ApiClient(admin.session, admin.base, "admin", password="x").get("eventStream")).status == 401
    assert (await admin.post("eventStream", {})).status == 405


async def test_a_quiet_stream_has_a_heartbeat(
    admin: ApiClient, monkeypatch: pytest.MonkeyPatch, gateway: Gateway
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.05)
    await gateway.stream.stop()
    gateway.stream.start()
    async with listening(admin) as stream:
        for _ in range(100):
            if await asyncio.wait_for(stream.answer.content.readline(), PATIENCE) == b": alive\n":
                return
    raise AssertionError("no heartbeat")


async def test_a_user_who_is_taken_away_is_cut_off(client: Client, gateway: Gateway) -> None:
    async with listening(client("operator")) as stream:
        await remove(gateway, "operator")
        with pytest.raises(EOFError):
            await stream.until(lambda _message: False)


async def test_a_reader_who_does_not_keep_up_is_cut_off_and_misses_nothing(
    admin: ApiClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "GATHER_SECONDS", 0.01)
    host, port = gateway.settings.server.listen.split(":")
    loop = asyncio.get_running_loop()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.setblocking(False)
    await loop.sock_connect(slow, (host, int(port)))
    credentials = basic_auth("admin", "secret")
    head = f"GET /cimi/eventStream HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {credentials}\r\n\r\n"
    await loop.sock_sendall(slow, head.encode())
    await eventually(lambda: gateway.stream.readers, "the slow reader is there")
    async with listening(admin) as quick:
        first = int((await quick.raw()).id or 0)
        for _ in range(10):
            await many_alarms(gateway, 500)
            for number in range(500):
                assert (await quick.next()).id == str(first + number + 1)
            first += 500
        await eventually(lambda: gateway.stream.dropped, "the slow reader is dropped")
        assert gateway.stream.dropped == 1
        assert gateway.stream.readers == 1
    slow.close()


async def test_stopping_ends_the_streams(gateway: Gateway, admin: ApiClient) -> None:
    async with listening(admin) as stream:
        await stream.raw()
        await asyncio.wait_for(gateway.stop(), PATIENCE)
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await stream.next()
    await gateway.start()
