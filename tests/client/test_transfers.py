"""Images on their way up and down: in pieces, over broken connections, and whole at the end."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cimi_client import CimiError, Client, Damaged, NotOffered, Resource, Server, download, upload

from tests.api.images.transfers import RAW
from tests.client.byte_server import ByteServer

SIZE = 50_000
BYTES = os.urandom(SIZE)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
async def server() -> AsyncIterator[ByteServer]:
    one = ByteServer(SIZE)
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def client(server: ByteServer) -> AsyncIterator[Client]:
    async with Client(Server(server.url)) as one:
        yield one


async def test_an_image_goes_up_to_the_gateway_and_comes_down_as_it_was(either: Client, tmp_path: Path) -> None:
    up, down = tmp_path / "up", tmp_path / "down"
    up.write_bytes(RAW)
    told: list[tuple[int, int]] = []
    image = await (await either.create("machineImages", {"name": "up", "size": len(RAW)}))
    sent = await upload(either, image, up, lambda done, total: told.append((done, total)), piece=100_000)
    available = await sent
    assert available.state == "AVAILABLE"
    assert told[-1] == (len(RAW), len(RAW))
    await download(either, available, down)
    assert down.read_bytes() == RAW
    assert names(tmp_path) == ["down", "up"]


async def test_an_upload_goes_in_pieces_and_goes_on_where_it_broke(
    server: ByteServer, client: Client, file: Path
) -> None:
    server.breaks_up = [7_000, 45_000]
    image = await (await upload(client, await client.get("image"), file, piece=20_000))
    assert server.content == BYTES
    assert image.state == "AVAILABLE"
    assert [part.partition("-")[0] for part in server.asked] == [
        "bytes 0",
        "bytes 7000",
        "bytes 27000",
        "bytes 45000",
    ]


async def test_an_upload_of_before_is_gone_on_with(server: ByteServer, client: Client, file: Path) -> None:
    server.received += BYTES[:45_000]
    await (await upload(client, await client.get("image"), file))
    assert server.asked == [f"bytes 45000-{SIZE - 1}/{SIZE}"]
    assert server.content == BYTES


async def test_an_upload_whose_last_answer_is_lost_has_succeeded(
    server: ByteServer, client: Client, file: Path
) -> None:
    server.loses_last_answer = True
    image = await (await upload(client, await client.get("image"), file))
    assert (image.state, server.content) == ("AVAILABLE", BYTES)


async def test_an_upload_that_never_goes_on_is_given_up(
    server: ByteServer, client: Client, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cimi_client.transfers.MOST_STANDSTILLS", 1)
    server.breaks_up = [0] * 10
    with pytest.raises(CimiError, match=r"answer|broke"):
        await upload(client, await client.get("image"), file)


async def test_a_file_that_changes_while_it_is_sent_is_not_taken_for_one(
    server: ByteServer, client: Client, file: Path
) -> None:
    def change(done: int, _total: int) -> None:
        if done == 10_000:
            os.utime(file, (1, 1))

    with pytest.raises(CimiError, match="changed while it was sent"):
        await upload(client, await client.get("image"), file, change, piece=10_000)


async def test_an_empty_file_is_no_image(client: Client, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CimiError, match="is empty"):
        await upload(client, await client.get("image"), tmp_path / "empty")


async def test_an_image_that_waits_for_nothing_takes_no_upload(client: Client, file: Path) -> None:
    with pytest.raises(NotOffered, match="does not offer upload"):
        await upload(client, Resource({"id": "image"}), file)


async def test_a_download_goes_on_where_it_broke(server: ByteServer, client: Client, tmp_path: Path) -> None:
    server.content, server.breaks_down = BYTES * 80, [1_500_000, 3_000_000]
    await download(client, await client.get("image"), tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == BYTES * 80
    assert server.asked[0] == ""
    assert len(server.asked) == 3
    assert all(part.startswith("bytes=") for part in server.asked[1:])


async def test_a_download_goes_on_with_what_an_earlier_one_has_left(
    server: ByteServer, client: Client, tmp_path: Path
) -> None:
    server.content = BYTES
    server.sha256 = hashlib.sha256(BYTES).hexdigest()
    (tmp_path / "down.part").write_bytes(BYTES[:40_000])
    (tmp_path / "down.part.etag").write_text(server.tag)
    await download(client, await client.get("image"), tmp_path / "down")
    assert server.asked == ["bytes=40000-"]
    assert (tmp_path / "down").read_bytes() == BYTES


async def test_a_download_of_another_version_begins_anew(server: ByteServer, client: Client, tmp_path: Path) -> None:
    server.content = BYTES
    (tmp_path / "down.part").write_bytes(b"x" * 40_000)
    (tmp_path / "down.part.etag").write_text('"0"')
    await download(client, await client.get("image"), tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == BYTES


async def test_bytes_with_another_sum_are_not_kept(server: ByteServer, client: Client, tmp_path: Path) -> None:
    server.content, server.sha256 = BYTES, "0" * 64
    with pytest.raises(Damaged, match="SHA-256"):
        await download(client, await client.get("image"), tmp_path / "down")
    assert names(tmp_path) == []


async def test_the_progress_of_a_download_is_told(server: ByteServer, client: Client, tmp_path: Path) -> None:
    server.content = BYTES
    told: list[tuple[int, int]] = []
    await download(client, await client.get("image"), tmp_path / "down", lambda *numbers: told.append(numbers))
    assert told[-1] == (SIZE, SIZE)
