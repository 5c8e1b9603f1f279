"""Programs of the host that work on images: all that they say is read, and the end of it is kept."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from drivers.base import DriverNoSpace, ImageFile
from drivers.images import convert, file_systems, tool
from drivers.images.convert import QemuImg
from drivers.images.file_systems import Mkfs
from tests.patience import eventually

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
TALKATIVE = "i=0; while [ $i -lt 5000 ]; do echo 'a warning that says nothing of use to anybody' >&2; i=$((i+1)); done"
MIB = 1024**2


async def test_a_program_that_complains_at_length_comes_to_its_end() -> None:
    ended = await tool.run(["sh", "-c", f"{TALKATIVE}; echo 'No space left' >&2; exit 3"], ENVIRONMENT)
    assert ended.code == 3
    assert ended.words.endswith("No space left")
    assert len(ended.words) <= tool.LAST_WORDS


async def test_all_that_a_program_prints_is_told() -> None:
    printed = bytearray()
    await tool.run(["sh", "-c", "seq 20000"], ENVIRONMENT, printed.extend)
    assert printed.split() == [str(number).encode() for number in range(1, 20001)]


async def test_a_program_is_killed_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    waiting = asyncio.ensure_future(
        tool.run(["sh", "-c", f"echo $$ > {pid}.new; mv {pid}.new {pid}; exec sleep 600"], ENVIRONMENT)
    )
    await eventually(pid.exists, "the program runs")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.fixture
def talkative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the places of qemu-img and mkfs.ext4: programs that find the disk full, after many warnings."""
    for name in ("qemu-img", "mkfs.ext4"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{TALKATIVE}\necho 'error while writing: No space left on device' >&2\nexit 1\n")
        program.chmod(0o700)
    path = f"{tmp_path}:/usr/bin:/bin"
    for module in (convert, file_systems):
        monkeypatch.setattr(module, "ENVIRONMENT", {"PATH": path})
    monkeypatch.setattr(file_systems, "PATH", path)


@pytest.mark.usefixtures("talkative")
async def test_a_full_disk_is_seen_behind_many_warnings_of_qemu_img(tmp_path: Path) -> None:
    with pytest.raises(DriverNoSpace):
        await QemuImg().convert(
            ImageFile(tmp_path / "a", "vmdk"), ImageFile(tmp_path / "b", "raw"), MIB, lambda _done, _total: None
        )


@pytest.mark.usefixtures("talkative")
async def test_a_full_disk_is_seen_behind_many_warnings_of_mkfs(tmp_path: Path) -> None:
    with pytest.raises(DriverNoSpace):
        await Mkfs().make("ext4", tmp_path / "file", MIB)
