"""Answers from memory: each is what would be answered if nothing were remembered, whatever has changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from gateway.http.quick_reads import QuickReads
from gateway.http.remembered import Key, Memory, Remembered
from tests.api.accounts import remove, set_hash, set_role
from tests.api.client import HASH, Answer, ApiClient
from tests.api.raw_http import AUTHORIZATION, connect

pytestmark = pytest.mark.slow

SOME = settings(
    max_examples=12,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OWN = frozenset({"date", "x-request-id"})
"""Header fields that are of each answer."""


class Forgetful:
    """The memory of a gateway, which can be made to remember nothing for a while; and how often it was of use."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forgets, self.hits, self.quick = False, 0, 0
        get, answer = Memory.get, QuickReads.answer

        def forgetting(memory: Memory, key: Key) -> Remembered | None:
            found = None if self.forgets else get(memory, key)
            self.hits += found is not None
            return found

        def counted(reads: QuickReads, *arguments: Any) -> bytes | None:
            found = answer(reads, *arguments)
            self.quick += found is not None
            return found

        monkeypatch.setattr(Memory, "get", forgetting)
        monkeypatch.setattr(QuickReads, "answer", counted)

    async def fresh(self, client: ApiClient, url: str, **headers: str) -> Answer:
        self.forgets = True
        try:
            return await client.get(url, **headers)
        finally:
            self.forgets = False


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Forgetful:
    return Forgetful(monkeypatch)


def shown(answer: Answer) -> tuple[int, dict[str, str], str]:
    fields = {name: value for name, value in answer.headers.items() if name not in OWN}
    # An error says when it was made.
    return answer.status, fields if answer.status < 400 else {}, answer.text if answer.status < 400 else ""


URLS = (
    "machines",
    "machines?$last=2",
    "machines?$filter=state='STARTED'",
    "machines?$expand=disks,networkInterfaces,volumes",
    "machines?$select=name,state",
    "{machine}",
    "{machine}?$expand=*",
    "{machine}/disks",
    "{machine}/disks/vda",
    "volumes",
    "machineTemplates?$expand=*",
)


async def same_as_fresh(memory: Forgetful, gateway: Gateway, client: ApiClient, url: str) -> None:
    """Compare what is remembered with what is made anew, in a moment in which nothing is committed."""
    for _ in range(50):
        commits = gateway.store._commits
        remembered, again = await client.get(url), await client.get(url)
        fresh = await memory.fresh(client, url)
        if commits == gateway.store._commits:
            assert shown(remembered) == shown(again) == shown(fresh), url
            return
    pytest.fail(f"something is committed all the time beside {url}")


Deed = Callable[[ApiClient, str], Awaitable[object]]


async def rename(admin: ApiClient, machine: str) -> object:
    known = await admin.document(machine)
    return await admin.put(machine, {**known, "name": known.get("name", "") + "x"})


async def resize(admin: ApiClient, machine: str) -> object:
    known = await admin.document(machine)
    return await admin.put(machine, {"cpu": known["cpu"] % 3 + 1, "memory": known["memory"]})


async def stop(admin: ApiClient, machine: str) -> object:
    return await admin.act(machine, "stop", force=True)


async def start(admin: ApiClient, machine: str) -> object:
    return await admin.act(machine, "start")


async def add_disk(admin: ApiClient, machine: str) -> object:
    return await admin.post(f"{machine}/disks", {"capacity": 1000})


async def add_volume(admin: ApiClient, _machine: str) -> object:
    return await admin.post("volumes", {"volumeTemplate": {"volumeConfig": {"capacity": 1000}}})


async def add_template(admin: ApiClient, machine: str) -> object:
    image = (await admin.document("machineImages"))["machineImages"][0]["id"]
    return await admin.post("machineTemplates", {"name": machine[-4:], "machineImage": {"href": image}})


async def add_machine(admin: ApiClient, _machine: str) -> object:
    image = (await admin.document("machineImages"))["machineImages"][0]["id"]
    return await admin.post("machines", admin.machine(image), Prefer="wait=30")


DEEDS: dict[str, Deed] = {
    deed.__name__: deed for deed in (rename, resize, stop, start, add_disk, add_volume, add_template, add_machine)
}


@SOME
@given(deeds=st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.sampled_from(URLS)), min_size=3, max_size=8))
async def test_whatever_is_changed_the_remembered_answers_are_those_made_anew(
    client: Callable[..., ApiClient],
    gateway: Gateway,
    machine: str,
    memory: Forgetful,
    deeds: list[tuple[str, str]],
) -> None:
    readers = [client("admin"), client("admin", "xml"), client("operator"), client("viewer", "xml")]
    for deed, url in deeds:
        await DEEDS[deed](client("admin"), machine)
        for reader in readers:
            await same_as_fresh(memory, gateway, reader, url.format(machine=machine))
    assert memory.hits > 0


async def test_the_operations_that_a_role_may_do_change_with_the_role(
    client: Callable[..., ApiClient], gateway: Gateway, image: str, memory: Forgetful
) -> None:
    operator = client("operator")
    made = await operator.post("machines", operator.machine(image), Prefer="wait=30")
    urls = (made.location, "machines", "machines?$expand=disks", f"{made.location}/disks")
    for role in ("viewer", "operator", "admin", "viewer", "admin", "operator"):
        await set_role(gateway, "operator", role)
        for url in urls:
            await same_as_fresh(memory, gateway, operator, url)
        assert ("operations" in (await operator.document(made.location))) == (role != "viewer")
    assert memory.quick > 0


async def test_a_password_that_was_changed_opens_nothing_that_is_remembered(
    admin: ApiClient, gateway: Gateway, machine: str, memory: Forgetful
) -> None:
    for _ in range(3):
        assert (await admin.get(machine)).status == 200
    assert memory.quick > 0
    await set_hash(gateway, "admin", HASH.replace(HASH[-4:], "abcd"))
    assert (await admin.get(machine)).status == 401


async def test_a_user_who_was_removed_reads_nothing_that_is_remembered(
    client: Callable[..., ApiClient], gateway: Gateway, machine: str, memory: Forgetful
) -> None:
    viewer, quick = client("viewer"), 0
    for _ in range(3):
        assert (await viewer.get("machineImages")).status == 200
    assert memory.quick > quick
    await remove(gateway, "viewer")
    assert (await viewer.get("machineImages")).status == 401


async def test_what_one_user_has_read_is_not_there_for_another(
    client: Callable[..., ApiClient], image: str, memory: Forgetful
) -> None:
    operator, other = client("operator"), client("other")
    made = await operator.post("machines", operator.machine(image), Prefer="wait=30")
    for _ in range(3):
        assert (await operator.get(made.location)).status == 200
        assert (await other.get(made.location)).status == 404
        assert (await other.document("machines"))["count"] == 0
        assert (await operator.document("machines"))["count"] == 1


async def test_nobody_reads_an_older_name_than_the_last_one_that_was_answered_before(
    client: Callable[..., ApiClient], machine: str, memory: Forgetful
) -> None:
    admin = client("admin")
    written, over = 0, False
    reads: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
        (machine, lambda document: document["name"]),
        ("machines", lambda document: document["machines"][0]["name"]),
        ("machines?$expand=disks", lambda document: document["machines"][0]["name"]),
    )

    async def write() -> None:
        nonlocal written, over
        for number in range(1, 40):
            assert (await admin.put(f"{machine}?$select=name", {"name": f"{number}"})).status == 200
            written = number
            await asyncio.sleep(0.002 * (number % 3))
        over = True

    async def read(url: str, name: Callable[[dict[str, Any]], str]) -> None:
        while not over:
            least = written
            assert int(name(await admin.document(url))) >= least
            await asyncio.sleep(0)

    assert (await admin.put(f"{machine}?$select=name", {"name": "0"})).status == 200
    await asyncio.gather(write(), *(read(url, name) for url, name in reads for _ in range(2)))
    for url, name in reads:
        assert name(await admin.document(url)) == "39"


@pytest.mark.parametrize("media", ["json", "xml"])
@pytest.mark.parametrize("url", ["{machine}", "machines", "{machine}?$select=name", "machines?$expand=disks", ""])
async def test_an_answer_from_memory_says_all_that_a_new_one_says(
    client: Callable[..., ApiClient], machine: str, memory: Forgetful, media: str, url: str
) -> None:
    reader, target = client("admin", media), url.format(machine=machine)
    await reader.get(target)
    before = memory.quick
    quick = await reader.get(target)
    assert memory.quick == before + 1
    assert shown(quick) == shown(await memory.fresh(reader, target))
    unchanged = {"If_None_Match": quick.headers["etag"]}
    hits = [await reader.get(target, **unchanged) for _ in range(2)]
    assert memory.quick == before + 2
    assert [shown(hit) for hit in hits] == [shown(await memory.fresh(reader, target, **unchanged))] * 2
    assert hits[0].status == 304


async def test_the_clients_own_request_id_comes_back_in_an_answer_from_memory(
    admin: ApiClient, machine: str, memory: Forgetful
) -> None:
    answers = [await admin.get(machine, X_Request_ID="mine") for _ in range(3)]
    assert memory.quick == 2
    assert [answer.headers["x-request-id"] for answer in answers] == ["mine"] * 3


@pytest.mark.parametrize(
    "change",
    [
        ("GET ", "HEAD "),
        ("HTTP/1.1", "HTTP/1.0"),
        ("\r\n\r\n", "\r\nConnection: close\r\n\r\n"),
        ("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\n{}"),
    ],
)
async def test_a_request_that_is_special_goes_the_long_way(
    gateway: Gateway, machine: str, admin: ApiClient, memory: Forgetful, change: tuple[str, str]
) -> None:
    line = await connect(gateway.settings.server.listen)
    path = machine[machine.index("/cimi/") :]
    plain = f"GET {path} HTTP/1.1\r\nHost: {gateway.settings.server.listen}\r\n{AUTHORIZATION}\r\n\r\n"
    await line.send(plain.encode())
    await line.answer()
    await line.send(plain.replace(*change).encode())
    rest = b""
    while b"\r\n\r\n" not in rest or b"HTTP/" not in rest:
        rest += await line.reader.read(65536)
    await line.close()
    assert memory.quick == 0
    assert b" 200 OK\r\n" in rest


async def test_a_new_connection_from_the_same_address_is_answered_from_memory_at_once(
    gateway: Gateway, machine: str, memory: Forgetful
) -> None:
    path = machine[machine.index("/cimi/") :]
    plain = f"GET {path} HTTP/1.1\r\nHost: {gateway.settings.server.listen}\r\n{AUTHORIZATION}\r\n\r\n"
    for quick, source in enumerate(("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2")):
        line = await connect(gateway.settings.server.listen, source)
        await line.send(plain.encode())
        assert b" 200 OK\r\n" in await line.answer()
        await line.close()
        assert memory.quick == min(quick, 2)


async def test_a_gateway_that_is_being_stopped_answers_nothing_from_memory(
    admin: ApiClient, gateway: Gateway, machine: str, memory: Forgetful
) -> None:
    for _ in range(2):
        assert (await admin.get(machine)).status == 200
    gateway.server.draining = True
    assert (await admin.get(machine)).status == 503


async def test_answers_from_memory_are_counted_like_others(
    admin: ApiClient, machine: str, memory: Forgetful, driver: MemoryDriver
) -> None:
    for _ in range(5):
        await admin.get(machine)
    assert memory.quick == 4
    text = (await admin.get(admin.base.removesuffix("cimi/") + "metrics")).text
    [line] = [
        line
        for line in text.splitlines()
        if line.startswith('cimi_http_requests_total{method="GET",status="200",target="Machine"}')
    ]
    assert float(line.rpartition(" ")[2]) == 5
