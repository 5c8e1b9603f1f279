"""Whoever fills the staging directory does not keep others from writing: the store's disk has room for the store.

The store and the staging directory lie on one small disk, as they do by default on one that is large.
"""

from __future__ import annotations

import ast
import asyncio
import io
import os
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.basic_auth import basic_auth
from drivers.base import ImageFile, VolumeFacts
from drivers.memory import MemoryDriver
from gateway import config
from gateway.app import Gateway
from tests.api.client import Answer, ApiClient
from tests.api.packages import package, staged
from tests.api.world import World
from tests.small_disk import small_disk
from tests.source import ROOT
from tests.web_server import WebServer, serving

pytestmark = pytest.mark.slow

MIB = 1024**2
DISK, RESERVE = 48, 16
OVF = {"Content_Type": "application/ovf"}
BYTES = {"Content_Type": "application/octet-stream"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "state", DISK) as directory:
        yield directory


@pytest.fixture
def settings(settings: config.Settings, disk: Path) -> config.Settings:
    images = replace(
        settings.images, staging=str(disk / "staging"), reserve=RESERVE * MIB, private_networks=["127.0.0.0/8"]
    )
    return replace(settings, store=config.StoreSettings(str(disk / "gateway.db")), images=images)


def free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def others_write(client: ApiClient) -> None:
    """Another operator's writes, of which none may fail."""
    for number in range(5):
        document = {"credentialTemplate": {"userName": "ops", "key": f"ssh-ed25519 AAAA {number}"}}
        answer = await client.post("credentials", document)
        assert answer.status == 201, answer.text


def fill(disk: Path, *, but: int) -> None:
    """Something else takes the disk, but for so many MiB."""
    (disk / "filler").write_bytes(bytes(free(disk) - but * MIB))


async def endless(until: asyncio.Event) -> AsyncIterator[bytes]:
    """As much as one can send, and then a byte now and again: who does so keeps what has come."""
    for _ in range(DISK):
        yield bytes(MIB)
    while not until.is_set():
        yield b"x"
        await asyncio.sleep(0.05)


@asynccontextmanager
async def sending(client: ApiClient, url: str, headers: dict[str, str]) -> AsyncIterator[asyncio.Task[Any]]:
    over = asyncio.Event()
    task = asyncio.create_task(_outcome(client.post(url, endless(over), **headers)))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        over.set()
        await task


async def _outcome(request: Any) -> int:
    """The status; 0 when the connection was closed on who still sends."""
    try:
        answer: Answer = await request
    except OSError:
        return 0
    return answer.status


async def test_a_package_without_a_length_cannot_keep_others_from_writing(
    client: Callable[..., ApiClient], disk: Path, gateway: Gateway
) -> None:
    async with sending(client("operator"), "systems/import", OVF) as task:
        async with asyncio.timeout(60):
            while not task.done() and free(disk) > (RESERVE + 6) * MIB:
                await others_write(client("other"))
        await others_write(client("other"))
        assert free(disk) >= RESERVE * MIB - 4 * MIB
    assert task.result() in (0, 507)
    await others_write(client("other"))
    assert staged(gateway) == []


async def announced(gateway: Gateway, user: str, length: int) -> bytes:
    """The beginning of the answer to who only says how large a package will come, and sends nothing of it."""
    lines = [
        "POST /cimi/systems/import HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: {basic_auth(user, 'secret')}",
        "Content-Type: application/ovf",
        f"Content-Length: {length}",
    ]
    host, _, port = gateway.settings.server.listen.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await reader.readuntil(b'"statusMessage":')
        return answer + await reader.read(500)
    finally:
        writer.close()


async def test_a_package_that_is_too_large_is_refused_before_its_first_byte(gateway: Gateway) -> None:
    answer = await asyncio.wait_for(announced(gateway, "operator", (DISK - RESERVE + 4) * MIB), 60)
    assert answer.startswith(b"HTTP/1.1 507 ")
    assert b"kept for the store" in answer
    assert staged(gateway) == []


async def test_of_two_packages_that_have_room_one_at_a_time_one_is_refused(gateway: Gateway) -> None:
    length = (DISK - RESERVE) * MIB * 2 // 3
    tasks = {asyncio.create_task(announced(gateway, user, length)) for user in ("operator", "other")}
    done, waiting = await asyncio.wait(tasks, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result().startswith(b"HTTP/1.1 507 ") for task in done] == [True]
    assert len(waiting) == 1
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_package_that_has_room_comes_in_and_gives_its_room_back(
    client: Callable[..., ApiClient], admin: ApiClient, gateway: Gateway, tmp_path: Path
) -> None:
    answer = await client("operator").post("systems/import", package(tmp_path), **OVF)
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    staging = gateway.server._handlers._services["System"].room.images.staging
    assert (staging.coming, staging.held) == ({}, set())


async def test_an_upload_stops_at_the_reserve_and_goes_on_when_there_is_room(
    client: Callable[..., ApiClient], disk: Path
) -> None:
    operator, size = client("operator"), 8 * MIB
    image = (await operator.post("machineImages", {"size": size})).location
    await asyncio.to_thread(fill, disk, but=RESERVE + 3)
    sent = await operator.put(f"{image}/upload", io.BytesIO(bytes(size)), **BYTES)
    assert (sent.status, "kept free for the store" in sent.text) == (507, True)
    await others_write(client("other"))
    assert free(disk) >= RESERVE * MIB - MIB
    (disk / "filler").unlink()
    have = int((await operator.get(f"{image}/upload")).headers["upload-offset"])
    told = {"Content_Range": f"bytes {have}-{size - 1}/{size}"}
    rest = await operator.put(f"{image}/upload", io.BytesIO(bytes(size - have)), **BYTES, **told)
    assert rest.headers["upload-offset"] == str(size)


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_below_the_reserve_an_image_to_be_staged_is_refused(
    client: Callable[..., ApiClient], disk: Path, media: str
) -> None:
    await asyncio.to_thread(fill, disk, but=RESERVE - 1)
    body = b"<MachineImageCreate><size>1048576</size></MachineImageCreate>"
    client_of = client("operator", media)
    answer = await client_of.post("machineImages", body if media == "xml" else {"size": MIB})
    assert (answer.status, "kept for the store" in answer.text) == (507, True)
    await others_write(client("other"))


async def test_an_image_by_url_of_unknown_length_stops_at_the_reserve(
    client: Callable[..., ApiClient], admin: ApiClient, disk: Path, gateway: Gateway
) -> None:
    async with serving(WebServer(bytes((DISK - 4) * MIB), ranges=False, chunked=True, pace=0.01)) as server:
        asked = await client("operator").post("machineImages", {"imageLocation": server.url}, Prefer="respond-async")
        assert asked.status == 202, asked.text
        while (await admin.document(asked.job))["state"] == "RUNNING":
            await others_write(client("other"))
            assert free(disk) >= RESERVE * MIB - 4 * MIB
    job = await admin.ended(asked.job)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10507), job
    assert staged(gateway) == []


async def test_an_export_is_refused_below_the_reserve(
    world: World, client: Callable[..., ApiClient], disk: Path
) -> None:
    system = await world.ensure("System")
    await asyncio.to_thread(fill, disk, but=RESERVE - 1)
    answer = await world.owner.act(system, "export")
    assert (answer.status, "kept for the store" in answer.text) == (507, True)
    await others_write(client("other"))


async def test_an_export_whose_disks_have_no_room_fails_and_leaves_nothing(
    world: World, client: Callable[..., ApiClient], admin: ApiClient, driver: MemoryDriver, disk: Path, gateway: Gateway
) -> None:
    system = await world.ensure("System")
    volume = driver.storage.read_volume

    async def large(pool: str, name: str) -> VolumeFacts:
        return replace(await volume(pool, name), physical=DISK * MIB)

    driver.storage.read_volume = large  # type: ignore[method-assign]
    answer = await world.owner.act(system, "export")
    job = await admin.ended(answer.job)
    assert (job["state"], job["returnCode"]) == ("FAILED", 10507), job
    assert staged(gateway) == []
    await others_write(client("other"))


@pytest.mark.parametrize("media", ["json", "xml"])
async def test_what_an_export_still_reads_is_promised_to_nobody_else(
    world: World,
    client: Callable[..., ApiClient],
    admin: ApiClient,
    driver: MemoryDriver,
    gateway: Gateway,
    monkeypatch: pytest.MonkeyPatch,
    media: str,
) -> None:
    system, volume, download = await world.ensure("System"), driver.storage.read_volume, driver.storage.download_volume
    begun, goes_on, size = asyncio.Event(), asyncio.Event(), (DISK - RESERVE) * MIB * 2 // 3

    async def large(pool: str, name: str) -> VolumeFacts:
        return replace(await volume(pool, name), physical=size)

    async def slow(pool: str, name: str, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        begun.set()
        await goes_on.wait()
        there = (await volume(pool, name)).physical - offset
        async with aclosing(download(pool, name, offset, min(length, there))) as pieces:
            async for piece in pieces:
                yield piece

    monkeypatch.setattr(driver.storage, "read_volume", large)
    monkeypatch.setattr(driver.storage, "download_volume", slow)
    first = await world.owner.act(system, "export")
    await begun.wait()
    body = f"<MachineImageCreate><size>{size}</size></MachineImageCreate>".encode()
    refused = await client("operator", media).post("machineImages", body if media == "xml" else {"size": size})
    assert (refused.status, "bytes free" in refused.text) == (507, True), refused.text
    goes_on.set()
    assert (await admin.ended(first.job))["state"] == "SUCCESS"
    assert gateway.server._handlers._services["System"].room.images.staging.coming == {}


# Programs that write there


class Greedy:
    """A program in the place of qemu-img and mkfs, whose file grows until it is stopped."""

    def __init__(self) -> None:
        self.started = False

    async def convert(self, source: ImageFile, target: ImageFile, *others: Any) -> None:
        await self._grow(target.path)

    async def make(self, kind: str, file: Path, size: int) -> None:
        await self._grow(file)

    async def _grow(self, path: Path) -> None:
        self.started = True
        try:
            for _ in range(DISK * 4):
                await asyncio.to_thread(self._append, path)
                await asyncio.sleep(0.05)
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)

    def _append(self, path: Path) -> None:
        with path.open("ab") as file:
            file.write(bytes(MIB // 4))


@pytest.fixture
def vdi(tmp_path: Path) -> bytes:
    path = tmp_path / "image.vdi"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vdi", path, "1M"], check=True)
    return path.read_bytes()


async def of_an_image(world: World, server: WebServer) -> Answer:
    return await world.owner.post("machineImages", {"imageLocation": server.url}, Prefer="respond-async")


async def of_an_export(world: World, server: WebServer) -> Answer:
    return await world.owner.act(await world.ensure("System"), "export")


async def of_a_file_system(world: World, server: WebServer) -> Answer:
    document = {"volumeTemplate": {"volumeConfig": {"capacity": 8_000, "format": "ext4"}}}
    return await world.owner.post("volumes", document, Prefer="respond-async")


@pytest.mark.parametrize("step", [of_an_image, of_an_export, of_a_file_system])
async def test_a_program_that_writes_there_is_stopped_at_the_reserve(
    world: World,
    client: Callable[..., ApiClient],
    admin: ApiClient,
    gateway: Gateway,
    disk: Path,
    vdi: bytes,
    step: Callable[[World, WebServer], Any],
) -> None:
    greedy = Greedy()
    await world.ensure("System")
    tools = gateway.server._handlers._services["System"].room.images
    for name in ("converter", "file_systems"):
        object.__setattr__(getattr(tools, name), METHODS[name], getattr(greedy, METHODS[name]))
    await asyncio.to_thread(fill, disk, but=RESERVE + 4)
    async with serving(WebServer(vdi)) as server:
        job = (await step(world, server)).job
        while (document := await admin.document(job))["state"] == "RUNNING":
            await others_write(client("other"))
    assert greedy.started
    assert (document["state"], document["returnCode"]) == ("FAILED", 10507), document
    assert free(disk) >= RESERVE * MIB - MIB
    assert staged(gateway) == []


METHODS = {"converter": "convert", "file_systems": "make"}
"""How the steps call the programs that write."""


def calls_in(node: ast.AST) -> Iterator[ast.Call]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
            yield inner


def of_a_program(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return any(name.endswith(f"{tool}.{method}") for tool, method in METHODS.items())


def test_every_step_that_starts_such_a_program_is_watched() -> None:
    started, watched = [], []
    for path in sorted((ROOT / "gateway/orchestration").rglob("*.py")):
        calls = list(calls_in(ast.parse(path.read_text(encoding="utf-8"))))
        started += [f"{path.name}:{call.lineno}" for call in calls if of_a_program(call)]
        watching = [call for call in calls if ast.unparse(call.func).endswith(".beside_the_reserve")]
        inside = [call for outer in watching for argument in outer.args for call in calls_in(argument)]
        watched += [f"{path.name}:{call.lineno}" for call in inside if of_a_program(call)]
    assert started == watched
    assert len(started) == 3
