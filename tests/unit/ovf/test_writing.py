"""What is written is read again as the same, and stands in the order of the standard."""

from __future__ import annotations

import tarfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from io import BytesIO

import pytest
from lxml import etree

from gateway.ovf.archive import Part, archive, archive_size
from gateway.ovf.deployment import Guest, deploy
from gateway.ovf.model import (
    Configuration,
    Disk,
    Envelope,
    File,
    Hardware,
    Item,
    Network,
    OperatingSystem,
    Product,
    Property,
    StartupItem,
    VirtualSystem,
    VirtualSystemCollection,
)
from gateway.ovf.package import unpack
from gateway.ovf.reading import read_envelope
from gateway.ovf.tar import header_of
from gateway.ovf.writing import write_envelope
from tests.unit.ovf.samples import VIRTUALBOX, VMWARE, Kept, in_pieces

HARDWARE = Hardware(
    types=("kvm",),
    transports=frozenset({"iso"}),
    items=(
        Item("1", 3, "cpu", quantity="2"),
        Item("2", 4, "memory", quantity="65536", units="byte * 2^10"),
        Item("3", 6, "scsi0", sub_type="VirtioSCSI"),
        Item("4", 17, "vda", parent="3", address_on_parent="0", host_resources=("ovf:/disk/disk1",)),
        Item("5", 10, "eth0", address="52:54:00:00:00:01", connections=("front",), allocated=False, required=False),
    ),
)
WEB = VirtualSystem(
    id="web",
    name="Web & more",
    info="A machine",
    annotation='quotes " and <signs>',
    products=(
        Product(
            class_="net",
            product="Shop",
            properties=(
                Property("ip", "string", 'ValueMap{"a","b"}', "a", {"large": "b"}, True, label="IP"),
                Property("code", password=True),
            ),
        ),
    ),
    eulas=("Do as you like.",),
    operating_system=OperatingSystem(96, "12", "Debian"),
    hardware=(HARDWARE,),
)
BACK = VirtualSystemCollection("back", "the back", "inner", content=(VirtualSystem("db", "data", "db"),))
ENVELOPE = Envelope(
    content=VirtualSystemCollection(
        id="shop",
        name="shop",
        info="A system",
        startup=(StartupItem("web", 1, 5, True, "powerOn", 6, "guestShutdown"), StartupItem("back", 2)),
        content=(WEB, BACK),
    ),
    files=(File("file1", "web-disk1.vmdk", 5),),
    disks=(
        Disk("disk1", "20", "byte * 2^30", "file1", "http://example.com/vmdk", populated=7),
        Disk("disk2", "5", name="data"),
    ),
    networks=(Network("front", "the front", "PRIVATE"), Network("back")),
    configurations=(Configuration("small", "Small", "little", True), Configuration("large", "Large", "much")),
)


def test_what_is_written_is_read_as_the_same() -> None:
    assert read_envelope(write_envelope(ENVELOPE)) == ENVELOPE


@pytest.mark.parametrize("text", [VMWARE, VIRTUALBOX])
def test_the_packages_of_products_mean_the_same_when_they_are_written_again(text: str) -> None:
    read = read_envelope(text.encode())
    before, after = deploy(read), deploy(read_envelope(write_envelope(read)))
    assert isinstance(before, Guest)
    assert isinstance(after, Guest)
    for name in ("cpus", "memory", "drives", "ports", "media", "transports", "values"):
        assert getattr(before, name) == getattr(after, name)


def test_settings_of_an_item_stand_in_alphabetical_order() -> None:
    root = etree.fromstring(write_envelope(ENVELOPE))
    items = root.findall(".//{*}Item[{*}ResourceType]")
    assert len(items) == 5
    for item in items:
        names = [etree.QName(child).localname for child in item]
        assert names == sorted(names)


def test_parts_of_an_envelope_stand_in_the_order_of_the_schema() -> None:
    root = etree.fromstring(write_envelope(ENVELOPE))
    assert [etree.QName(child).localname for child in root] == [
        "References",
        "DiskSection",
        "NetworkSection",
        "DeploymentOptionSection",
        "VirtualSystemCollection",
    ]
    web = root.find(".//{*}VirtualSystem")
    assert web is not None
    assert [etree.QName(child).localname for child in web] == [
        "Info",
        "Name",
        "AnnotationSection",
        "ProductSection",
        "EulaSection",
        "OperatingSystemSection",
        "VirtualHardwareSection",
    ]


def part(name: str, content: bytes, size: int | None = None) -> Part:
    def pieces() -> AsyncGenerator[bytes, None]:
        return in_pieces(content, 300)

    return Part(name, len(content) if size is None else size, pieces)


async def test_an_archive_is_read_again_with_its_manifest_verified() -> None:
    stream = archive("shop", write_envelope(ENVELOPE), [part("web-disk1.vmdk", b"12345")], 1_700_000_000)
    kept = Kept()
    package = await unpack(stream, kept, 10**6)
    assert package.verified
    assert package.envelope == ENVELOPE
    assert kept.files == {"web-disk1.vmdk": b"12345"}


async def test_an_archive_is_one_that_tar_reads() -> None:
    stream = archive("shop", b"<x/>", [part("disk", bytes(1234))], 1_700_000_000)
    content = b"".join([piece async for piece in stream])
    with tarfile.open(fileobj=BytesIO(content)) as opened:
        assert opened.getnames() == ["shop.ovf", "disk", "shop.mf"]
        assert [member.mtime for member in opened] == [1_700_000_000] * 3
    assert len(content) == archive_size("shop", b"<x/>", [("disk", 1234)])


@pytest.mark.parametrize("size", [3, 7])
async def test_a_file_that_changed_its_size_breaks_the_archive_off(size: int) -> None:
    with pytest.raises(OSError, match="another size"):
        async for _piece in archive("shop", b"<x/>", [part("disk", b"12345", size)], 0):
            pass


def test_files_beyond_8_gib_have_a_header_that_tar_reads() -> None:
    info = tarfile.TarInfo.frombuf(header_of("disk", 20 * 2**30, 0), "utf-8", "strict")
    assert info.size == 20 * 2**30


def test_every_content_has_a_name_since_some_readers_show_nothing_else() -> None:
    nameless = VirtualSystemCollection("shop", content=(VirtualSystem("web"),), startup=(StartupItem("web", 1),))
    two = replace(nameless, content=(VirtualSystem("web"), VirtualSystem("db")))
    root = etree.fromstring(write_envelope(Envelope(two)))
    assert [element.text for element in root.iterfind(".//{*}Name")] == ["shop", "web", "db"]


def test_a_capacity_in_bytes_is_written_without_units_which_some_readers_do_not_know() -> None:
    [_first, second] = etree.fromstring(write_envelope(ENVELOPE)).findall(".//{*}Disk")
    assert "capacityAllocationUnits" not in "".join(map(str, second.attrib))
