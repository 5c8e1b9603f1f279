"""qemu-img: both formats said, bounded, and nothing left of what did not work."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from drivers.base import DriverError, DriverInvalid, ImageFile
from drivers.images import convert
from drivers.images.convert import QemuImg
from tests.plain_reader import inspect

MIB = 1024**2


@pytest.fixture
def vmdk(tmp_path: Path) -> Path:
    raw, path = tmp_path / "disk.raw", tmp_path / "disk.vmdk"
    raw.write_bytes(b"\xfa" * 510 + b"\x55\xaa" + b"data" * MIB)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", raw, path], check=True)
    return path


def ignore(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


async def test_a_vmdk_becomes_a_qcow2_of_the_same_size_and_tells_its_progress(vmdk: Path, tmp_path: Path) -> None:
    told: list[int] = []
    target = tmp_path / "made"
    await QemuImg().convert(
        ImageFile(vmdk, "vmdk"), ImageFile(target, "qcow2"), 4 * MIB, lambda done, _total: told.append(done)
    )
    made, before = inspect(target), inspect(vmdk)
    assert (made.format, made.virtual_size) == ("qcow2", before.virtual_size)
    assert told[-1] == 100


async def test_the_formats_are_said_and_the_limits_are_set(vmdk: Path, tmp_path: Path) -> None:
    command = convert._command(ImageFile(vmdk, "vmdk"), ImageFile(tmp_path / "made", "raw"), 4 * MIB)
    assert command[0] == "prlimit"
    assert any(word.startswith("--cpu=") for word in command)
    assert any(word.startswith("--as=") for word in command)
    assert command[command.index("-f") + 1] == "vmdk"
    assert command[command.index("-O") + 1] == "raw"


@pytest.mark.parametrize("path", ["relative.vmdk", "http://example.org/x", "nbd:host:1"])
async def test_only_absolute_paths_are_converted(path: str, tmp_path: Path) -> None:
    with pytest.raises(DriverInvalid, match="absolute"):
        await QemuImg().convert(ImageFile(Path(path), "vmdk"), ImageFile(tmp_path / "made", "raw"), MIB, ignore)


@pytest.mark.parametrize(("source", "target"), [("qed", "raw"), ("vmdk", "vdi"), ("luks", "qcow2")])
async def test_other_formats_are_not_converted(vmdk: Path, tmp_path: Path, source: str, target: str) -> None:
    with pytest.raises(DriverInvalid, match="cannot be converted"):
        await QemuImg().convert(ImageFile(vmdk, source), ImageFile(tmp_path / "made", target), MIB, ignore)


async def test_a_broken_image_is_an_error_with_qemu_imgs_words_and_leaves_nothing(tmp_path: Path) -> None:
    broken, made = tmp_path / "broken", tmp_path / "made"
    broken.write_bytes(b"KDMV" + bytes(4096))
    with pytest.raises(DriverError, match="qemu-img could not convert"):
        await QemuImg().convert(ImageFile(broken, "vmdk"), ImageFile(made, "qcow2"), MIB, ignore)
    assert not made.exists()


async def test_too_little_memory_ends_it_and_leaves_nothing(
    vmdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "MEMORY", 16 * MIB)
    with pytest.raises(DriverError):
        await QemuImg().convert(ImageFile(vmdk, "vmdk"), ImageFile(tmp_path / "made", "qcow2"), MIB, ignore)
    assert not (tmp_path / "made").exists()


async def test_cancelling_kills_it_and_leaves_nothing(
    vmdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, pid = tmp_path / "made", tmp_path / "pid"
    script = f"echo $$ > {pid}; touch {made}; exec sleep 3600"
    monkeypatch.setattr(convert, "_command", lambda *_arguments: ["/bin/sh", "-c", script])
    converting = asyncio.ensure_future(QemuImg().convert(ImageFile(vmdk, "vmdk"), ImageFile(made, "raw"), MIB, ignore))
    while not await asyncio.to_thread(made.exists):
        await asyncio.sleep(0.01)
    process = int(await asyncio.to_thread(pid.read_text))
    converting.cancel()
    await asyncio.gather(converting, return_exceptions=True)
    assert not await asyncio.to_thread(Path(f"/proc/{process}").exists)
    assert not await asyncio.to_thread(made.exists)
