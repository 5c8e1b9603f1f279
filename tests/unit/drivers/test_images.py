"""The cautious reader: what an image is, and by which firmware it boots, in whatever format it comes."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from tests.plain_reader import inspect
from tests.unit.drivers.disks import disk

FORMATS = {
    "raw": ["-O", "raw"],
    "qcow2": ["-O", "qcow2"],
    "compressed qcow2": ["-c", "-O", "qcow2"],
    "qcow2 of small clusters": ["-O", "qcow2", "-o", "cluster_size=512"],
    "qcow2 with extended tables": ["-O", "qcow2", "-o", "extended_l2=on,cluster_size=32k"],
    "qcow2 version 2": ["-O", "qcow2", "-o", "compat=0.10"],
}


@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize(("boot_code", "uefi"), [(b"", True), (b"\xfa\x31\xc0", False)], ids=["uefi alone", "both"])
def test_the_firmware_an_image_needs_is_seen_in_every_format(
    tmp_path: Path, options: list[str], boot_code: bytes, uefi: bool
) -> None:
    image = tmp_path / "image"
    command = ["qemu-img", "convert", "-f", "raw", *options, str(disk(tmp_path, boot_code)), str(image)]
    subprocess.run(command, check=True)
    assert inspect(image).uefi is uefi


def test_tables_that_lead_nowhere_are_taken_for_zeros(tmp_path: Path) -> None:
    image = tmp_path / "image"
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(disk(tmp_path, b"")), str(image)]
    subprocess.run(command, check=True)
    content = bytearray(image.read_bytes())
    table = struct.unpack_from(">Q", content, 40)[0]
    struct.pack_into(">Q", content, table, 0x00FF_FFFF_FFFF_FE00)
    image.write_bytes(content)
    assert inspect(image).uefi is False
