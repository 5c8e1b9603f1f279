"""Readers of images, each with the input that costs it most."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from drivers.images.looking import ImageQuestion, look
from drivers.images.vmdk_grains import UnpackedVmdk
from drivers.images.window import HEAD, LARGEST, TAIL
from tests import hostile_files as hostile
from tests.plain_reader import Content
from tests.unit.costs.reader import Reader


def _image(content: bytes) -> object:
    question = ImageQuestion(len(content), min(len(content), HEAD), LARGEST)
    return look(question, Content(content[:HEAD] + content[-TAIL:], content))


def _grains(number: int) -> Path:
    path = Path(tempfile.mkdtemp()) / "grains.vmdk"
    path.write_bytes(hostile.vmdk_of_grains(number))
    return path


def _unpacked(path: Path) -> None:
    async def all_of_it() -> None:
        unpacked = UnpackedVmdk(path)
        async for _piece in unpacked.pieces():
            pass
        unpacked.close()

    asyncio.run(all_of_it())


IMAGE = ("drivers.images.looking", "drivers.images.reader")

IMAGES = (
    Reader("vmdk with blanks", (*IMAGE, "drivers.images.vmdk"), hostile.vmdk_of_blanks, _image, 10_000),
    Reader("vmdk of lines", ("drivers.images.vmdk",), hostile.vmdk_of_lines, _image, 10_000),
    Reader("vmdk of grains", ("drivers.images.vmdk_grains",), _grains, _unpacked, 16_384),
    Reader("qcow2", ("drivers.images.qcow2",), lambda n: hostile.qcow2()[: 512 * n].ljust(65536), _image, 1200),
    Reader(
        "qcow2 packed",
        ("drivers.images.qcow2_content",),
        lambda n: hostile.qcow2(min(21, 9 + n.bit_length()), bomb=True),
        _image,
        4096,
    ),
    Reader("vdi", ("drivers.images.vdi",), hostile.vdi, _image, 2**31),
    Reader("vhd", ("drivers.images.vhd",), lambda n: hostile.vhd(64 * 1024 + n), _image, 2**24),
    Reader("vhdx", ("drivers.images.vhdx",), hostile.vhdx, _image, 2047),
    Reader(
        "raw", ("drivers.images.raw", "drivers.images.window"), lambda n: hostile.raw() + bytes(512 * n), _image, 4096
    ),
)
