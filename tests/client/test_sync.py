"""The plain face of the client, beside a gateway that runs in a thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cimi_client import Job, Login, NotFound, Server, SyncClient

from tests.api.images.transfers import RAW
from tests.client.machines import machine_document
from tests.conformance.provider import PASSWORD


@pytest.fixture
def client(provider: tuple[str, str]) -> Iterator[SyncClient]:
    with SyncClient(Server(provider[0], Login("admin", PASSWORD))) as one:
        yield one


def test_a_machine_lives_from_its_create_to_its_delete(client: SyncClient, provider: tuple[str, str]) -> None:
    seen: list[Job] = []
    image = client.create("machineImages", {"name": "guest", "imageLocation": provider[1]}, seen.append)
    machine = client.create("machines", machine_document(image.id, "plain"), seen.append)
    job = client.act(machine, "start", progress=seen.append)
    assert job is not None
    assert client.get(machine.id).state == "STARTED"
    client.edit(client.get(machine.id), {"name": "renamed"}, seen.append)
    assert [item.name for item in client.items("machines", page=1)] == ["renamed"]
    client.delete(client.find("machines", "renamed"), seen.append)
    with pytest.raises(NotFound):
        client.get(machine.id)
    assert {entry.state for entry in seen if entry.ended} == {"SUCCESS"}


def test_what_happens_comes_without_asyncio(client: SyncClient) -> None:
    messages = client.live()
    next(messages)
    client.create("machineConfigs", {"name": "live", "cpu": 1, "memory": 131072})
    assert next(message for message in messages if message.kind == "event").resource.kind == "Event"


def test_bytes_go_up_and_come_down_without_asyncio(client: SyncClient, tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(RAW)
    waiting = client.create("machineImages", {"name": "up", "size": len(RAW)})
    client.download(client.upload(waiting, up), down)
    assert down.read_bytes() == RAW


def test_the_entry_point_is_read_without_asyncio(client: SyncClient, provider: tuple[str, str]) -> None:
    assert client.entry_point().text("baseURI") == provider[0]


def test_files_of_the_client_need_nothing_of_the_server() -> None:
    """Import-linter holds it for the library; this is what its distribution asks for."""
    setup = (Path(__file__).parents[2] / "client" / "setup.cfg").read_text()
    assert "libvirt" not in setup
