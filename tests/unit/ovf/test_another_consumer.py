"""COT, the Common OVF Tool of PyPI, reads what is written here, and what it writes is read here.

It takes every sum of a version 1 package for a SHA-1, and so complains of SHA-256 ones; ``--force`` lets it go on.
"""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from gateway.ovf.archive import Part, archive
from gateway.ovf.deployment import Guest, deploy
from gateway.ovf.model import OWN_DISK, Disk, Envelope, File, Hardware, Item, Network, Product, Property, VirtualSystem
from gateway.ovf.names import STREAM_OPTIMIZED
from gateway.ovf.package import unpack
from gateway.ovf.writing import write_envelope
from tests.unit.ovf.cot import cot
from tests.unit.ovf.samples import Kept, in_pieces

OWN = '<MachineTemplate xmlns="http://schemas.dmtf.org/cimi/1"><credential href="#ops"/></MachineTemplate>'


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "web-disk1.vmdk"
    command: list[str | Path] = [
        "qemu-img",
        "create",
        "-q",
        "-f",
        "vmdk",
        "-o",
        "subformat=streamOptimized",
        path,
        "16M",
    ]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def package(tmp_path: Path, disk: Path) -> Path:
    """A package of one virtual system with a real disk."""
    content = disk.read_bytes()
    items = (
        Item("1", 3, "cpu", quantity="2"),
        Item("2", 4, "memory", quantity="256", units="byte * 2^20"),
        Item("3", 6, "scsi0", sub_type="VirtioSCSI", address="0"),
        Item("4", 17, "vda", parent="3", address_on_parent="0", host_resources=("ovf:/disk/disk1",)),
        Item("5", 10, "eth0", connections=("front",), address_on_parent="1"),
    )
    product = Product(product="Shop", properties=(Property("color", value="red", user_configurable=True, label="C"),))
    described = Envelope(
        VirtualSystem(
            "web",
            "web",
            "A machine",
            products=(product,),
            hardware=(Hardware(("kvm",), items=items),),
            template=OWN,
        ),
        (File("file1", disk.name, len(content)),),
        (Disk("disk1", "16", "byte * 2^20", "file1", STREAM_OPTIMIZED, name="vda", use=OWN_DISK),),
        (Network("front", "the front"),),
    )

    async def written() -> bytes:
        parts = [Part(disk.name, len(content), lambda: in_pieces(content, 65536))]
        return b"".join([piece async for piece in archive("web", write_envelope(described), parts, 0)])

    target = tmp_path / "web.ova"
    target.write_bytes(asyncio.run(written()))
    return target


def test_cot_shows_the_hardware_of_our_package(package: Path) -> None:
    shown = cot("info", "-v", package)
    assert "web-disk1.vmdk" in shown
    for told in ("256 MiB", "harddisk @ SCSI 0:0", "eth0          : front", '<color>  C  "red"'):
        assert told in shown


def test_what_cot_makes_of_our_package_is_read_here(package: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.ova"
    cot("edit-hardware", package, "-o", other, "--cpus", "3", "--memory", "1GB", "--nics", "2")
    read = asyncio.run(unpack(in_pieces(other.read_bytes(), 65536), Kept(), 10**9))
    assert read.verified
    found = deploy(read.envelope)
    assert isinstance(found, Guest)
    assert (found.cpus, found.memory, len(found.ports)) == (3, 2**30, 2)
    assert "#ops" in found.system.template
    assert read.envelope.disks[0].use == OWN_DISK
