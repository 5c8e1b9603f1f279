"""What is slow of one kind holds up nothing of another."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.confined.readers import ConfinedReaders
from drivers.images.cautious import CautiousReader
from drivers.threads import GUEST_PASSWORDS, MOST_UNPACKING, UNPACKING, UPLOADS
from drivers.web.names import Resolver

PATIENCE = 60.0


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    closed = threading.Event()
    yield closed
    closed.set()


async def test_a_name_server_that_does_not_answer_holds_up_nothing_but_names(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    def silent(*_given: Any, **_named: Any) -> list[Any]:
        gate.wait(PATIENCE)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    asked = [asyncio.create_task(Resolver().resolve("slow.example.org", 80)) for _ in range(50)]
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.to_thread(lambda: None)
        await UPLOADS.run(lambda: None)
    gate.set()
    answers = await asyncio.gather(*asked)
    assert {entry["host"] for answer in answers for entry in answer} == {"192.0.2.1"}


async def test_hashes_of_guests_passwords_hold_up_nothing_but_each_other(gate: threading.Event) -> None:
    hashes = [asyncio.create_task(GUEST_PASSWORDS.run(gate.wait, PATIENCE)) for _ in range(50)]
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.to_thread(lambda: None)
        await UPLOADS.run(lambda: None)
    gate.set()
    assert all(await asyncio.gather(*hashes))


async def test_unpacking_that_was_given_up_holds_up_nothing_but_unpacking(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event, readers: ConfinedReaders
) -> None:
    begun = threading.Semaphore(0)

    def slow(*_given: Any) -> None:
        begun.release()
        gate.wait(PATIENCE)

    monkeypatch.setattr("drivers.images.cautious.UnpackedVmdk", slow)
    reader = CautiousReader(readers)
    for _ in range(MOST_UNPACKING):
        given_up = asyncio.create_task(reader.unpack(Path("a.vmdk")))
        assert await UPLOADS.run(begun.acquire, timeout=PATIENCE)
        given_up.cancel()
    more = [asyncio.create_task(reader.unpack(Path("a.vmdk"))) for _ in range(50)]
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.gather(*(asyncio.to_thread(lambda: None) for _ in range(50)))
    for task in more:
        task.cancel()
    await asyncio.gather(*more, return_exceptions=True)
    gate.set()
    await UNPACKING.run(lambda: None)
    assert not begun.acquire(blocking=False)


async def test_a_name_becomes_its_addresses() -> None:
    found = await Resolver().resolve("127.0.0.1", 8080)
    assert [(entry["host"], entry["port"], entry["family"]) for entry in found] == [("127.0.0.1", 8080, socket.AF_INET)]


async def test_a_name_without_addresses_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError, match=r"."):
        await Resolver().resolve("nothing.invalid", 80)
