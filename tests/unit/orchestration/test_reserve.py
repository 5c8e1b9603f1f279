"""Room on the store's disk that staging cannot take."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import NoSpace
from gateway.orchestration.common.reserve import Reserve
from gateway.orchestration.common.staging import Staging
from tests.small_disk import small_disk

MIB = 1024**2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 16) as directory:
        (directory / "staging").mkdir()
        yield directory


@pytest.fixture
def staging(disk: Path) -> Staging:
    return Staging(disk / "staging", Reserve(disk, 4 * MIB))


async def test_what_may_be_put_down_is_less_by_the_reserve(staging: Staging, disk: Path) -> None:
    found = os.statvfs(disk)
    assert await staging.free() == found.f_bavail * found.f_frsize - 4 * MIB


async def test_pieces_stop_at_the_reserve(staging: Staging, disk: Path) -> None:
    descriptor = os.open(staging.directory / "data", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(NoSpace, match="kept free for the store"):
        for _ in range(16):
            await asyncio.to_thread(staging.put_blocking, descriptor, bytes(MIB))
    os.close(descriptor)
    assert 4 * MIB <= shown_free(disk) < 5 * MIB


def shown_free(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


async def test_on_another_disk_everything_may_be_taken(disk: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "other", 8) as other:
        staging = Staging(other, Reserve(disk, 64 * MIB))
        assert await staging.free() > 7 * MIB
        staging.reserve.demand(other, 7 * MIB)


async def test_another_program_is_stopped_before_it_has_the_reserve(staging: Staging, disk: Path) -> None:
    ended = asyncio.Event()

    async def slowly() -> None:
        """As qemu-img would: a piece at a time, and its file goes with it."""
        path = staging.directory / "converted"
        try:
            for number in range(1000):
                await asyncio.to_thread(write, path, min(number, 13))
                await asyncio.sleep(0.05)
        finally:
            ended.set()

    with pytest.raises(NoSpace):
        await asyncio.wait_for(staging.beside_the_reserve(slowly()), 60)
    assert ended.is_set()
    assert shown_free(disk) > 0


def write(path: Path, mebibytes: int) -> None:
    path.write_bytes(bytes(mebibytes * MIB))


async def test_work_that_leaves_it_alone_is_done_and_its_errors_are_its_own(staging: Staging) -> None:
    done: list[bool] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(True)

    async def broken() -> None:
        raise ValueError("broken")

    await staging.beside_the_reserve(work())
    assert done == [True]
    with pytest.raises(ValueError, match="broken"):
        await staging.beside_the_reserve(broken())
