"""The cautious reader: what it accepts of each format, and what it refuses before any other program looks."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import DriverInvalid
from drivers.confined.readers import ConfinedReaders
from drivers.images.cautious import CautiousReader
from drivers.images.reader import HEAD, TAIL
from tests.plain_reader import inspect

MIB = 1024**2
SIZE = 20 * MIB
KINDS = {
    "qcow2": ("qcow2", "", "qcow2"),
    "vmdk": ("vmdk", "", "vmdk"),
    "stream.vmdk": ("vmdk", "subformat=streamOptimized", "vmdk"),
    "vdi": ("vdi", "", "vdi"),
    "fixed.vdi": ("vdi", "static=on", "vdi"),
    "vhd": ("vpc", "force_size=on", "vpc"),
    "fixed.vhd": ("vpc", "subformat=fixed,force_size=on", "vpc"),
    "vhdx": ("vhdx", "", "vhdx"),
}
Make = Callable[[str], Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A fresh copy of an image of this kind, converted by qemu-img from one bootable raw image."""
    home = tmp_path_factory.mktemp("formats")
    raw = home / "disk.raw"
    raw.write_bytes(b"\xfa" * 510 + b"\x55\xaa")
    with raw.open("r+b") as file:
        file.truncate(SIZE)

    def of(kind: str) -> Path:
        path = home / f"{len(list(home.iterdir()))}.{kind}"
        name, options, _ = KINDS[kind]
        extra = ["-o", options] if options else []
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", name, *extra, raw, path], check=True)
        return path

    return of


def patch(path: Path, offset: int, data: bytes) -> Path:
    with path.open("r+b") as file:
        file.seek(offset, 2 if offset < 0 else 0)
        file.write(data)
    return path


def replace(path: Path, old: bytes, new: bytes) -> Path:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new.ljust(len(old), b" "), 1))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_accepted_format_is_told_with_its_virtual_size(make: Make, kind: str) -> None:
    facts = inspect(make(kind))
    assert (facts.format, facts.virtual_size) == (KINDS[kind][2], SIZE)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "vhdx"])
async def test_the_two_ends_tell_what_the_whole_file_tells(make: Make, kind: str, readers: ConfinedReaders) -> None:
    path = make(kind)
    data = path.read_bytes()
    assert await CautiousReader(readers).recognise(len(data), data[:HEAD], data[-TAIL:]) == inspect(path)
    assert await CautiousReader(readers).inspect(path) == inspect(path)


async def test_the_ends_of_a_vhdx_do_not_tell_its_size(make: Make, readers: ConfinedReaders) -> None:
    data = make("vhdx").read_bytes()
    assert await CautiousReader(readers).recognise(len(data), data[:HEAD], data[-TAIL:]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_virtual_size_beyond_the_configured_one_is_refused(make: Make, kind: str) -> None:
    with pytest.raises(DriverInvalid, match="out of bounds"):
        inspect(make(kind), SIZE - 512)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_off_is_refused_and_never_breaks_the_reader(make: Make, kind: str) -> None:
    whole = make(kind).read_bytes()
    path = make(kind)
    for size in (0, 1, 63, 100, 511, 513):
        path.write_bytes(whole[:size])
        with pytest.raises(DriverInvalid):
            inspect(path)


@pytest.mark.parametrize("kind", KINDS)
def test_random_changes_of_the_header_never_break_the_reader(make: Make, kind: str) -> None:
    path = make(kind)
    whole = path.read_bytes()
    places = [*range(0, 1024, 7), *range(64 * 1024, 64 * 1024 + 100, 5), *range(192 * 1024, 192 * 1024 + 128, 5)]
    for offset in (place for place in places if place < len(whole)):
        put(path, offset, b"\xff")
        try:
            inspect(path)
        except DriverInvalid as error:
            assert str(error)
        put(path, offset, whole[offset : offset + 1])


def put(path: Path, offset: int, byte: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(byte)


def test_a_qcow2_with_a_backing_file_is_refused(make: Make) -> None:
    path = make("qcow2")
    top = path.with_suffix(".top")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", top], check=True)
    with pytest.raises(DriverInvalid, match="backing file"):
        inspect(top)


def test_a_qcow2_with_an_external_data_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.qcow2"
    options = f"data_file={tmp_path / 'secret'},data_file_raw=on"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M"], check=True)
    with pytest.raises(DriverInvalid, match="external data file"):
        inspect(path)


def test_a_vmdk_descriptor_alone_is_refused(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "flat.vmdk"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", path, "1M"], check=True)
    with pytest.raises(DriverInvalid, match="descriptor"):
        inspect(path)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"monolithicSparse"', b'"monolithicFlat"', "type is monolithicFlat"),
        (b'"monolithicSparse"', b'"vmfs"', "type is vmfs"),
        (b"parentCID=ffffffff", b"parentCID=00000001", "parent"),
        (b'ddb.adapterType = "ide"', b'parentFileNameHint="/x"', "parent"),
        (b"RW 40960 SPARSE", b"RW 40960 FLAT  ", "other extents"),
        (b'ddb.adapterType = "ide"', b'\nRW 1 FLAT "/etc/shadow"'[:23], "other extents"),
    ],
)
def test_a_vmdk_whose_descriptor_leads_elsewhere_is_refused(make: Make, old: bytes, new: bytes, reason: str) -> None:
    with pytest.raises(DriverInvalid, match=reason):
        inspect(replace(make("vmdk"), old, new))


def test_a_vmdk_whose_parent_hides_behind_a_zero_byte_is_refused(make: Make) -> None:
    with pytest.raises(DriverInvalid, match="parent"):
        inspect(patch(make("vmdk"), 512 + 5000, b'parentFileNameHint="/etc/shadow"'))


def test_a_vmdk_without_a_capacity_of_its_own_is_refused(make: Make) -> None:
    with pytest.raises(DriverInvalid, match="other files"):
        inspect(patch(make("vmdk"), 12, bytes(8)))


def test_a_stream_optimized_vmdk_whose_footer_says_another_size_is_refused(make: Make) -> None:
    path = make("stream.vmdk")
    header = bytearray(path.read_bytes()[:512])
    struct.pack_into("<Q", header, 56, 2**64 - 1)
    patch(path, 0, bytes(header))
    struct.pack_into("<Q", header, 12, 2**40)
    with path.open("ab") as file:
        file.write(bytes(512) + header + bytes(512))
    with pytest.raises(DriverInvalid, match="footer"):
        inspect(path)


@pytest.mark.parametrize("kind", [3, 4])
def test_a_vdi_that_needs_another_file_is_refused(make: Make, kind: int) -> None:
    with pytest.raises(DriverInvalid, match="another file"):
        inspect(patch(make("vdi"), 76, struct.pack("<I", kind)))


def test_a_vhd_that_needs_another_file_is_refused(make: Make) -> None:
    path = make("vhd")
    footer = bytearray(path.read_bytes()[:512])
    struct.pack_into(">I", footer, 60, 4)
    struct.pack_into(">I", footer, 64, 0)
    struct.pack_into(">I", footer, 64, ~sum(footer) & 0xFFFFFFFF)
    with pytest.raises(DriverInvalid, match="differencing"):
        inspect(patch(path, 0, bytes(footer)))


def test_a_vhdx_that_needs_another_file_is_refused(make: Make) -> None:
    path = make("vhdx")
    data = path.read_bytes()
    at = data.index(struct.pack("<II", 8 * MIB, 0), 1024 * 1024)
    with pytest.raises(DriverInvalid, match="differencing"):
        inspect(patch(path, at + 4, struct.pack("<I", 2)))


def test_a_vhdx_with_a_log_to_replay_is_refused(make: Make) -> None:
    path = make("vhdx")
    for at in (64 * 1024, 128 * 1024):
        patch(path, at + 48, b"\x01" * 16)
    with pytest.raises(DriverInvalid, match="closed cleanly"):
        inspect(path)


@pytest.mark.parametrize(
    ("head", "name"),
    [(b"QED\0", "qed"), (b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"LUKS\xba\xbe", "luks")],
)
def test_other_formats_are_refused_by_name(tmp_path: Path, head: bytes, name: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(head.ljust(4096, b"\0"))
    with pytest.raises(DriverInvalid, match=name):
        inspect(path)


def test_bytes_that_are_two_formats_at_once_are_refused(make: Make) -> None:
    with pytest.raises(DriverInvalid, match="two formats"):
        inspect(patch(make("qcow2"), 64, b"\x7f\x10\xda\xbe"))


def test_bytes_that_are_no_disk_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"milk, bread\n" * 1000)
    with pytest.raises(DriverInvalid, match="no disk image"):
        inspect(path)


def test_a_symbolic_link_is_no_image(make: Make, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(make("qcow2"))
    with pytest.raises(DriverInvalid):
        inspect(link)
