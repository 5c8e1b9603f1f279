"""Pools and volumes, in memory and on a real host: the same promises for both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from drivers.base import BaseVolume, DriverError, DriverInvalid, DriverNotFound, NewVolume, VolumeContent
from tests.contract.both import DRIVERS, MIB, Host, ignore, opened

pytestmark = pytest.mark.qemu
BAD_NAMES = ["../x", "a/b", "", ".hidden", "a\tb", "x" * 200]
Call = Callable[[Host, str, str], Awaitable[object]]


@pytest.fixture(params=DRIVERS)
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    async with opened(request.param) as made:
        yield made


async def data(size: int) -> AsyncIterator[bytes]:
    yield bytes(size)


async def create(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.create_volume(pool, name, "qcow2", MIB)


async def overlay(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.overlay_volume(pool, name, "base", "qcow2", MIB)


async def clone(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.clone_volume(
        NewVolume(pool, name, "qcow2", MIB), BaseVolume("base", host.pool), ignore
    )


async def upload(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.upload_volume(pool, name, VolumeContent("raw", MIB, data(MIB)), ignore)


async def read(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.read_volume(pool, name)


async def download(host: Host, pool: str, name: str) -> object:
    return [piece async for piece in host.driver.storage.download_volume(pool, name, 0, 1)]


async def grow(host: Host, pool: str, name: str) -> object:
    return await host.driver.storage.grow_volume(pool, name, "qcow2", 16 * MIB)


async def read_pool(host: Host, pool: str, _name: str) -> object:
    return await host.driver.storage.read_pool(pool)


async def start_pool(host: Host, pool: str, _name: str) -> None:
    await host.driver.storage.start_pool(pool)


async def list_volumes(host: Host, pool: str, _name: str) -> object:
    return await host.driver.storage.list_volumes(pool)


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("make", [create, overlay, clone, upload])
async def test_a_name_that_is_none_is_refused_before_anything_is_done(host: Host, make: Call, name: str) -> None:
    await host.volume("base")
    with pytest.raises(DriverInvalid, match="no name for a volume"):
        await make(host, host.pool, name)
    assert [volume.name for volume in await host.driver.storage.list_volumes(host.pool)] == ["base"]


@pytest.mark.parametrize(
    "call", [read_pool, start_pool, list_volumes, read, download, create, overlay, clone, upload, grow]
)
async def test_there_is_nothing_in_a_pool_that_is_missing(host: Host, call: Call) -> None:
    await host.volume("base")
    with pytest.raises(DriverNotFound):
        await call(host, "cimi-missing", "a")


@pytest.mark.parametrize("call", [read, download, grow])
async def test_a_volume_that_is_missing_is_not_found(host: Host, call: Call) -> None:
    with pytest.raises(DriverNotFound):
        await call(host, host.pool, "missing")


@pytest.mark.parametrize("pool", ["cimi-missing", None])
async def test_to_delete_what_is_missing_is_no_error(host: Host, pool: str | None) -> None:
    await host.driver.storage.delete_volume(pool or host.pool, "missing")


async def test_all_pools_are_listed(host: Host) -> None:
    assert host.pool in [pool.name for pool in await host.driver.storage.list_pools()]


async def test_a_clone_replaces_what_an_interrupted_run_left(host: Host) -> None:
    await host.volume("base")
    await host.driver.storage.create_volume(host.pool, "copy", "qcow2", 64 * MIB)
    await clone(host, host.pool, "copy")
    assert (await host.driver.storage.read_volume(host.pool, "copy")).capacity == 8 * MIB


async def test_an_upload_replaces_what_was_there(host: Host) -> None:
    await host.volume("a")
    await upload(host, host.pool, "a")
    assert (await host.driver.storage.read_volume(host.pool, "a")).capacity == MIB


async def test_an_upload_that_fails_leaves_nothing(host: Host) -> None:
    await host.volume("a")
    with pytest.raises(DriverInvalid):
        await host.driver.storage.upload_volume(host.pool, "a", VolumeContent("raw", MIB, data(5)), ignore)
    assert await host.driver.storage.list_volumes(host.pool) == ()


async def test_a_raw_volume_that_nobody_wrote_is_zeros(host: Host) -> None:
    await host.volume("a", "raw")
    pieces = host.driver.storage.download_volume(host.pool, "a", MIB, 5)
    assert b"".join([piece async for piece in pieces]) == bytes(5)


async def test_more_bytes_than_a_volume_has_cannot_be_read(host: Host) -> None:
    await host.volume("a", "raw")
    with pytest.raises(DriverError):
        _ = [piece async for piece in host.driver.storage.download_volume(host.pool, "a", 8 * MIB - 1, 2)]
