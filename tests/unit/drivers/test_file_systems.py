"""File systems made by the host's tools on files with holes, and streamed as raw and as qcow2."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from drivers.base import DriverFailed, DriverInvalid, DriverUnsupported, Hole
from drivers.images import file_systems
from drivers.images.file_systems import COMMANDS, Mkfs
from drivers.images.sparse_raw import SparseRaw

MIB, GIB = 1024**2, 1024**3
SIZES = {kind: 512 * MIB if kind == "xfs" else 8 * MIB for kind in COMMANDS}
CHECKS = {
    "ext2": ("e2fsck", "-fn"),
    "ext3": ("e2fsck", "-fn"),
    "ext4": ("e2fsck", "-fn"),
    "xfs": ("xfs_repair", "-n", "-f"),
    "vfat": ("fsck.vfat", "-n"),
}
KINDS = pytest.mark.parametrize("kind", sorted(COMMANDS))


def run(*command: str) -> str:
    tool = shutil.which(command[0], path=file_systems.PATH)
    assert tool is not None, command[0]
    done = subprocess.run([tool, *command[1:]], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout.strip()


def recognised(path: Path) -> str:
    return run("blkid", "-p", "-o", "value", "-s", "TYPE", str(path))


def size_of(path: Path) -> int:
    return path.stat().st_size


def allocated(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture
async def made(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "disk"
    await Mkfs().make(kind, path, SIZES[kind])
    return path


@KINDS
async def test_each_kind_is_recognised_and_sound(made: Path, kind: str) -> None:
    assert size_of(made) == SIZES[kind]
    assert recognised(made) == kind
    run(*CHECKS[kind], str(made))


@KINDS
async def test_of_a_hundred_gibibytes_little_is_written(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "disk"
    await Mkfs().make(kind, path, 100 * GIB)
    assert recognised(path) == kind
    assert allocated(path) < 256 * MIB


@KINDS
async def test_the_raw_stream_says_what_the_file_holds(made: Path, tmp_path: Path, kind: str) -> None:
    source, copy, holes = SparseRaw(made), tmp_path / "copy", 0
    with copy.open("wb") as file:
        async for piece in source.raw():
            if isinstance(piece, Hole):
                file.seek(piece.length, 1)
                holes += piece.length
            else:
                file.write(piece)
        file.truncate(source.size)
    source.close()
    assert holes > 0
    run("cmp", str(made), str(copy))


@KINDS
async def test_the_qcow2_stream_is_an_image_with_the_same_content(made: Path, tmp_path: Path, kind: str) -> None:
    source, image = SparseRaw(made), tmp_path / "image.qcow2"
    size, pieces = await source.qcow2()
    image.write_bytes(b"".join([piece async for piece in pieces]))
    source.close()
    assert size_of(image) == size
    run("qemu-img", "check", "-f", "qcow2", str(image))
    run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(made), str(image))


async def test_the_qcow2_image_of_a_large_file_system_is_small(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    await Mkfs().make("ext4", path, 100 * GIB)
    source = SparseRaw(path)
    size, pieces = await source.qcow2()
    (tmp_path / "image").write_bytes(b"".join([piece async for piece in pieces]))
    source.close()
    assert size < 256 * MIB
    run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(path), str(tmp_path / "image"))


@pytest.mark.parametrize("size", [0, 1, 65536, 3 * MIB + 512])
async def test_a_file_of_nothing_but_a_hole_is_streamed(tmp_path: Path, size: int) -> None:
    path = tmp_path / "disk"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(size)
    source = SparseRaw(path)
    assert [piece async for piece in source.raw()] == ([Hole(size)] if size else [])
    source.close()


async def test_too_few_bytes_are_refused_with_the_tools_words(tmp_path: Path) -> None:
    with pytest.raises(DriverInvalid, match=r"(?i)size|small|blocks"):
        await Mkfs().make("xfs", tmp_path / "disk", MIB)
    assert not (tmp_path / "disk").exists()


async def test_a_tool_that_is_not_installed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "PATH", str(tmp_path))
    with pytest.raises(DriverUnsupported, match=r"mkfs\.ext4 is not installed on the gateway's host"):
        await Mkfs().make("ext4", tmp_path / "disk", MIB)


async def test_other_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DriverInvalid):
        await Mkfs().make("ntfs", tmp_path / "disk", MIB)


async def test_a_tool_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "ext4", ("tail", "-f"))
    monkeypatch.setattr(file_systems, "DEADLINE", 0.3)
    with pytest.raises(DriverFailed, match="took more than"):
        await Mkfs().make("ext4", tmp_path / "disk", MIB)
    assert not (tmp_path / "disk").exists()


async def test_a_tool_that_writes_more_than_the_volume_has_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMMANDS, "ext4", ("truncate", "-s", "1T"))
    with pytest.raises(DriverFailed):
        await Mkfs().make("ext4", tmp_path / "disk", MIB)
    assert not (tmp_path / "disk").exists()
