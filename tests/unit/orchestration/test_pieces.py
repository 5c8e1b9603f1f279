"""Streams of image bytes: nothing is let go that was not looked at, and nothing outlives a stop."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from gateway.errors import Invalid
from gateway.jobs.execution import RunningStep
from gateway.jobs.plan import StopRequested
from gateway.orchestration.common.step import unless_stopped
from gateway.orchestration.images.pieces import Digest, ahead, looked_at
from tests.empty_image import qcow2
from tests.plain_reader import PlainReader

READER: Any = PlainReader()
DISK = b"\xfa" * 510 + b"\x55\xaa" + os.urandom(800 * 512)
RAW = ("raw", len(DISK))


async def source(data: bytes, size: int = 10_000) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def let_go(data: bytes, expected: tuple[str, int], announced: int | None = None) -> tuple[bytes, str]:
    """The bytes that came through, and the reason why no more did."""
    found = bytearray()
    try:
        async for piece in looked_at(source(data), announced or len(data), READER, expected):
            found += piece
    except Invalid as error:
        return bytes(found), error.message
    return bytes(found), ""


@pytest.mark.parametrize("size", [512, 1024, 60_000, 67_584, 67_585, 400_000])
async def test_bytes_that_are_what_they_were_pass(size: int) -> None:
    data = DISK[: size // 512 * 512]
    assert await let_go(data, ("raw", len(data))) == (data, "")


async def test_not_one_byte_of_another_format_is_let_go() -> None:
    evil = qcow2(size=1024**4).ljust(len(DISK), b"\0")
    passed, reason = await let_go(evil, RAW)
    assert (passed, "changed" in reason) == (b"", True)


async def test_not_one_byte_of_an_image_with_a_backing_file_is_let_go() -> None:
    passed, reason = await let_go(qcow2(backing=4096), ("qcow2", 32 * 1024**2))
    assert (passed, "backing file" in reason) == (b"", True)


async def test_an_end_that_makes_another_format_of_it_is_not_let_go() -> None:
    footer = b"conectix".ljust(512, b"\0")
    passed, reason = await let_go(DISK[:-512] + footer, RAW)
    assert passed != DISK[:-512] + footer
    assert reason


async def test_fewer_bytes_than_announced_are_no_image() -> None:
    _passed, reason = await let_go(DISK[:-512], RAW, announced=len(DISK))
    assert "announced" in reason


async def test_a_right_sum_lets_everything_through() -> None:
    digest = Digest(hashlib.sha256(DISK).hexdigest())
    assert b"".join([piece async for piece in digest.watch(source(DISK))]) == DISK


async def test_a_wrong_sum_keeps_the_last_piece_back() -> None:
    found = bytearray()
    with pytest.raises(Invalid, match="sha256"):
        async for piece in Digest("0" * 64).watch(source(DISK)):
            found += piece
    assert len(found) < len(DISK)


async def test_reading_ahead_changes_nothing_of_the_bytes() -> None:
    data = os.urandom(5_000_000)
    assert b"".join([piece async for piece in ahead(source(data, 7_777))]) == data


async def test_an_error_of_the_source_comes_out_of_reading_ahead() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise Invalid("broken")

    with pytest.raises(Invalid, match="broken"):
        _ = [piece async for piece in ahead(broken())]


async def test_leaving_early_closes_the_source() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield bytes(1024**2)
        finally:
            closed.set()

    async with aclosing(ahead(endless())) as pieces:
        async for _piece in pieces:
            break
    assert closed.is_set()


def context(stop: asyncio.Event) -> RunningStep:
    async def log(_level: str, _step: str, _message: str, *, durable: bool = False) -> None:
        """Nobody reads it."""

    return RunningStep("jobs/1", "step", stop, log)


async def test_work_that_waits_is_left_when_the_job_is_stopped() -> None:
    stop, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.set()

    running = asyncio.ensure_future(unless_stopped(context(stop), work()))
    await asyncio.sleep(0)
    stop.set()
    with pytest.raises(StopRequested):
        await running
    assert cleaned.is_set()


async def test_work_that_ends_just_after_the_stop_was_asked_for_is_no_success() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        stop.set()

    with pytest.raises(StopRequested):
        await unless_stopped(context(stop), work())


async def test_work_that_ends_gives_its_result_and_its_error() -> None:
    async def good() -> int:
        return 7

    async def bad() -> int:
        raise Invalid("no")

    assert await unless_stopped(context(asyncio.Event()), good()) == 7
    with pytest.raises(Invalid, match="no"):
        await unless_stopped(context(asyncio.Event()), bad())
