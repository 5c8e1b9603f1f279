"""A streamOptimized vmdk becomes a qcow2 image on its way; qemu-img is the judge of both."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from drivers.base import DriverInvalid
from drivers.confined.readers import ConfinedReaders
from drivers.images.cautious import CautiousReader
from drivers.images.qcow2_writing import CLUSTER, IN_TABLE, SPAN, Qcow2Layout
from drivers.images.vmdk_grains import Layer, UnpackedVmdk
from tests.plain_reader import inspect

MIB = 1024**2
GIB = 1024**3


def write(path: Path, size: int, *parts: tuple[int, bytes]) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, content in ((0, b"\xfa" * 510 + b"\x55\xaa"), *parts):
            file.seek(offset)
            file.write(content)


def as_vmdk(raw: Path, subformat: str = "streamOptimized") -> Path:
    path = raw.with_suffix(".vmdk")
    subprocess.run(
        ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={subformat}", raw, path], check=True
    )
    return path


async def unpack(vmdk: Path, *parents: Path) -> Path:
    made, unpacked = vmdk.with_suffix(".qcow2"), UnpackedVmdk(vmdk, parents)
    try:
        async with aclosing(unpacked.pieces()) as pieces:
            with made.open("wb") as file:
                async for piece in pieces:
                    file.write(piece)
    finally:
        unpacked.close()
    assert made.stat().st_size == unpacked.size
    return made


def compared(raw: Path, made: Path) -> str:
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", made], check=True)
    done = subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, made], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("size", "parts"),
    [
        (CLUSTER, ()),
        (MIB + 512, ((MIB, b"last sector"),)),
        (40 * MIB, ((0, os.urandom(3 * MIB)), (33 * MIB, b"behind a table that is not there"))),
        (3 * GIB, ((CLUSTER - 1, b"over two grains"), (GIB + 7, os.urandom(MIB)), (3 * GIB - 5, b"end"))),
        (5 * MIB, ((CLUSTER, bytes(range(256)) * 4096),)),
    ],
    ids=["one grain", "a part of a grain", "holes", "several spans", "packs well"],
)
async def test_the_guest_sees_the_same_disk(tmp_path: Path, size: int, parts: tuple[tuple[int, bytes], ...]) -> None:
    write(tmp_path / "disk.raw", size, *parts)
    made = await unpack(as_vmdk(tmp_path / "disk.raw"))
    assert compared(tmp_path / "disk.raw", made) == "Images are identical."


def delta(path: Path, size: int, *parts: tuple[int, bytes]) -> Path:
    """A vmdk that holds the grains with these parts only, and names a parent."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset, content in parts:
            file.seek(offset)
            file.write(content)
    made = as_vmdk(path)
    damaged(made, names_a_parent)
    return made


def names_a_parent(content: bytearray) -> None:
    at = content.index(b"parentCID=ffffffff")
    content[at : at + 18] = b"parentCID=1234abcd"


async def test_a_disk_that_stands_on_others_is_all_of_them_together(tmp_path: Path) -> None:
    write(tmp_path / "base.raw", 3 * MIB, (CLUSTER, b"lowest" * 9), (2 * MIB, b"stays"))
    base = as_vmdk(tmp_path / "base.raw")
    middle = delta(tmp_path / "middle.raw", 3 * MIB, (CLUSTER, b"middle" * 9), (MIB, b"new"))
    upper = delta(tmp_path / "upper.raw", 3 * MIB, (MIB, b"newest"))
    write(tmp_path / "whole.raw", 3 * MIB, (CLUSTER, b"middle" * 9), (MIB, b"newest"), (2 * MIB, b"stays"))
    assert compared(tmp_path / "whole.raw", await unpack(upper, middle, base)) == "Images are identical."


async def test_a_grain_of_zeros_hides_the_parents(tmp_path: Path) -> None:
    write(tmp_path / "base.raw", MIB, (CLUSTER, b"hidden"))
    upper = delta(tmp_path / "upper.raw", MIB, (CLUSTER, b"something"))
    damaged(upper, second_grain_is_zeros)
    write(tmp_path / "whole.raw", MIB)
    assert compared(tmp_path / "whole.raw", await unpack(upper, as_vmdk(tmp_path / "base.raw"))) == (
        "Images are identical."
    )


def second_grain_is_zeros(content: bytearray) -> None:
    directory = struct.unpack_from("<Q", content, 56)[0] * 512
    table = struct.unpack_from("<I", content, directory)[0] * 512
    struct.pack_into("<I", content, table + 4, 1)


async def test_a_disk_that_names_a_parent_is_nothing_without_it(tmp_path: Path) -> None:
    upper = delta(tmp_path / "upper.raw", MIB, (MIB // 2, b"new"))
    with pytest.raises(DriverInvalid, match="names a parent"):
        await unpack(upper)


async def test_the_lowest_one_stands_on_nothing(tmp_path: Path) -> None:
    uppers = [delta(tmp_path / f"{name}.raw", MIB, (MIB // 2, b"new")) for name in ("upper", "middle")]
    with pytest.raises(DriverInvalid, match="names a parent"):
        await unpack(*uppers)


async def test_a_parent_is_not_larger(tmp_path: Path) -> None:
    write(tmp_path / "base.raw", 2 * MIB)
    upper = delta(tmp_path / "upper.raw", MIB, (MIB // 2, b"new"))
    with pytest.raises(DriverInvalid, match="smaller than its parent"):
        await unpack(upper, as_vmdk(tmp_path / "base.raw"))


@pytest.mark.parametrize("spans", [1, 4, 9, 40])
def test_a_file_with_many_clusters_counts_them_all(tmp_path: Path, spans: int) -> None:
    """In several refcount blocks."""
    layout, made = Qcow2Layout(spans * SPAN, [IN_TABLE] * spans), tmp_path / "made.qcow2"
    with made.open("wb") as file:
        file.writelines(layout.tables(lambda _span: range(IN_TABLE)))
        file.truncate(layout.size)
    checked = subprocess.run(["qemu-img", "check", "-f", "qcow2", made], capture_output=True, text=True, check=False)
    assert "No errors were found" in checked.stdout


async def test_holes_take_no_room(tmp_path: Path) -> None:
    write(tmp_path / "disk.raw", 3 * GIB, (2 * GIB, b"something"))
    made = await unpack(as_vmdk(tmp_path / "disk.raw"))
    assert made.stat().st_size < 10 * CLUSTER


async def test_our_own_reader_takes_what_is_made(tmp_path: Path) -> None:
    write(tmp_path / "disk.raw", 2 * MIB)
    facts = inspect(await unpack(as_vmdk(tmp_path / "disk.raw")))
    assert (facts.format, facts.virtual_size) == ("qcow2", 2 * MIB)


@pytest.mark.parametrize(("subformat", "unpacks"), [("streamOptimized", True), ("monolithicSparse", False)])
def test_only_packed_grains_are_for_it(tmp_path: Path, subformat: str, unpacks: bool) -> None:
    write(tmp_path / "disk.raw", 2 * MIB)
    assert inspect(as_vmdk(tmp_path / "disk.raw", subformat)).unpacks is unpacks


async def test_a_footer_that_names_the_tables_is_followed(tmp_path: Path) -> None:
    """As VMware writes it, who does not go back to the header."""
    raw = tmp_path / "disk.raw"
    write(raw, 2 * MIB, (MIB, b"data"))
    vmdk = as_vmdk(raw)
    damaged(vmdk, tables_at_the_end)
    assert compared(raw, await unpack(vmdk)) == "Images are identical."


def tables_at_the_end(content: bytearray) -> None:
    header = bytes(content[:512])
    struct.pack_into("<Q", content, 56, 2**64 - 1)
    content += bytes(-len(content) % 512) + header + bytes(512)


@pytest.fixture
async def vmdk(tmp_path: Path) -> AsyncIterator[Path]:
    write(tmp_path / "disk.raw", MIB, (CLUSTER, b"second grain"))
    yield as_vmdk(tmp_path / "disk.raw")


def grain(content: bytearray, number: int) -> int:
    """Offset of a grain's marker, by the tables."""
    tables = struct.unpack_from("<Q", content, 56)[0] * 512
    table = struct.unpack_from("<I", content, tables)[0] * 512
    return int(struct.unpack_from("<I", content, table + 4 * number)[0]) * 512


def packed(content: bytes) -> bytes:
    return zlib.compress(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content, at: struct.pack_into("<Q", content, at, 5), "there is no grain 1"),
        (lambda content, at: struct.pack_into("<I", content, at + 8, 0), "there is no grain 1"),
        (lambda content, at: struct.pack_into("<I", content, at + 8, 2**31), "there is no grain 1"),
        (lambda content, at: struct.pack_into("<H", content, at + 12, 0), "grain 1 cannot be unpacked"),
        (lambda content, at: put(content, at, packed(bytes(CLUSTER - 1))), "grain 1 is not of 65536 bytes"),
        (lambda content, at: put(content, at, packed(bytes(CLUSTER + 1))), "grain 1 is not of 65536 bytes"),
        (lambda content, at: put(content, at, packed(bytes(100 * MIB))), "grain 1 is not of 65536 bytes"),
        (lambda content, at: put(content, at, packed(bytes(CLUSTER))[:-2]), "grain 1 is not of 65536 bytes"),
    ],
    ids=["another grain", "empty", "too long", "no deflate", "too short", "a byte more", "a bomb", "cut off"],
)
async def test_a_broken_grain_is_refused_by_its_number(
    vmdk: Path, damage: Callable[[bytearray, int], None], words: str
) -> None:
    damaged(vmdk, lambda content: damage(content, grain(content, 1)))
    with pytest.raises(DriverInvalid, match=words):
        await unpack(vmdk)


def damaged(vmdk: Path, damage: Callable[[bytearray], None]) -> None:
    content = bytearray(vmdk.read_bytes())
    damage(content)
    vmdk.write_bytes(content)


def put(content: bytearray, at: int, data: bytes) -> None:
    content[at + 12 : at + 12 + len(data)] = data
    struct.pack_into("<I", content, at + 8, len(data))
    content += bytes(MIB)


async def test_a_file_that_is_cut_off_is_refused(vmdk: Path) -> None:
    damaged(vmdk, lambda content: content.__delitem__(slice(grain(content, 1), None)))
    with pytest.raises(DriverInvalid, match="behind its end"):
        await unpack(vmdk)


async def test_tables_that_lie_outside_are_refused(vmdk: Path) -> None:
    damaged(vmdk, lambda content: struct.pack_into("<Q", content, 56, 2**40))
    with pytest.raises(DriverInvalid, match="behind its end"):
        UnpackedVmdk(vmdk)


@pytest.mark.parametrize(
    ("tables", "words"), [(1, "more grains than the file holds"), (2, "names a grain table twice")]
)
async def test_tables_that_lead_to_one_grain_again_and_again_are_refused(
    tmp_path: Path, tables: int, words: str
) -> None:
    """A bomb: a small file that becomes a large image."""
    write(tmp_path / "disk.raw", 64 * MIB, (0, b"data"))
    vmdk = as_vmdk(tmp_path / "disk.raw")
    damaged(vmdk, lambda content: one_grain_everywhere(content, tables))
    with pytest.raises(DriverInvalid, match=words):
        UnpackedVmdk(vmdk)


def one_grain_everywhere(content: bytearray, tables: int) -> None:
    directory = struct.unpack_from("<Q", content, 56)[0] * 512
    table = struct.unpack_from("<I", content, directory)[0] * 512
    struct.pack_into("<512I", content, table, *[grain(content, 0) // 512] * 512)
    struct.pack_into("<2I", content, directory, *[table // 512] * tables, *[0] * (2 - tables))


async def test_a_file_that_became_another_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "disk.raw", MIB)
    with pytest.raises(DriverInvalid, match="not what it was"):
        UnpackedVmdk(as_vmdk(tmp_path / "disk.raw", "monolithicSparse"))


async def test_what_nobody_waits_for_any_more_is_not_gone_through_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readers: ConfinedReaders
) -> None:
    write(tmp_path / "disk.raw", 3 * GIB, (0, b"first"), (3 * GIB - 5, b"last"))
    vmdk = as_vmdk(tmp_path / "disk.raw")
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()
    spans: list[int] = []

    def slow(_layer: Layer, span: int) -> dict[int, int]:
        spans.append(span)
        begun.set()
        gate.wait(60)
        return {}

    class Watched(UnpackedVmdk):
        def __init__(self, *given: Any) -> None:
            try:
                super().__init__(*given)
            finally:
                ended.set()

    monkeypatch.setattr(Layer, "sectors", slow)
    monkeypatch.setattr("drivers.images.cautious.UnpackedVmdk", Watched)
    task = asyncio.create_task(CautiousReader(readers).unpack(vmdk))
    assert await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.set()
    assert await asyncio.to_thread(ended.wait, 60)
    assert spans == [0]
