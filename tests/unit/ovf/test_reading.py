"""Descriptors are read as the products mean them, and refused with the place where they are wrong."""

from __future__ import annotations

import pytest

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import Envelope, VirtualSystem, VirtualSystemCollection
from gateway.ovf.reading import read_envelope
from tests.unit.ovf.samples import ENVELOPE, HEAD, VIRTUALBOX, VMWARE, envelope, system

DISK = '<DiskSection><Info>d</Info><Disk ovf:diskId="d" ovf:capacity="1"{}/></DiskSection>'


def vmware() -> tuple[Envelope, VirtualSystem]:
    read = read_envelope(VMWARE.encode())
    assert isinstance(read.content, VirtualSystem)
    return read, read.content


def test_a_vmware_descriptor_gives_its_files_and_disks() -> None:
    read, _system = vmware()
    assert [(file.href, file.size) for file in read.files] == [("web-disk1.vmdk", 5), ("tools.iso", 4)]
    assert [(disk.id, disk.capacity, disk.units, disk.file) for disk in read.disks] == [
        ("vmdisk1", "16", "byte * 2^30", "file1"),
        ("vmdisk2", "${data.size}", "GigaBytes", None),
    ]


def test_optional_sections_and_elements_of_a_product_are_left_out_and_told() -> None:
    read, _system = vmware()
    assert "BootOrderSection in VirtualSystem 'vm'" in read.ignored
    assert "CoresPerSocket in Item" in read.ignored


def test_properties_keep_type_qualifiers_defaults_and_secrecy() -> None:
    _read, found = vmware()
    hostname, admin, size, _color = found.products[0].properties
    assert (hostname.user_configurable, hostname.qualifiers, hostname.label) == (True, "MinLen(1) MaxLen(20)", "Name")
    assert admin.password
    assert (size.type, size.value, size.values) == ("uint16", "2", {"large": "8"})
    assert found.products[1].name_of("gateway") == "net.gateway.1"


def test_licence_annotation_and_operating_system_are_kept() -> None:
    _read, found = vmware()
    assert found.eulas == ("Do as you like.",)
    assert found.annotation == "The shop's front."
    assert found.operating_system is not None
    assert (found.operating_system.id, found.operating_system.description) == (96, "Debian GNU/Linux 10 (64-bit)")


def test_a_virtualbox_descriptor_is_read() -> None:
    read = read_envelope(VIRTUALBOX.encode())
    assert isinstance(read.content, VirtualSystem)
    assert read.content.hardware[0].types == ("virtualbox-2.2",)
    assert "Machine in VirtualSystem 'small'" in read.ignored


def test_version_2_with_its_own_items_is_read() -> None:
    second = HEAD.replace("envelope/1", "envelope/2") + (
        ' xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData"'
        ' xmlns:epasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_EthernetPortAllocationSettingData"'
    )
    items = (
        "<StorageItem><sasd:HostResource>ovf:/disk/d</sasd:HostResource><sasd:InstanceID>5</sasd:InstanceID>"
        "<sasd:ResourceType>31</sasd:ResourceType></StorageItem>"
        "<EthernetPortItem><epasd:Connection>n</epasd:Connection><epasd:InstanceID>6</epasd:InstanceID>"
        "<epasd:ResourceType>10</epasd:ResourceType></EthernetPortItem>"
    )
    read = read_envelope(envelope(system("v", hardware=items), head=second))
    assert isinstance(read.content, VirtualSystem)
    assert read.version == 2
    found = read.content.hardware[0].items
    assert [item.type for item in found] == [3, 4, 31, 10]
    assert (found[2].host_resources, found[3].connections) == (("ovf:/disk/d",), ("n",))


def test_collections_may_be_nested_and_start_in_an_order() -> None:
    inner = f'<VirtualSystemCollection ovf:id="in"><Info>i</Info>{system("db")}</VirtualSystemCollection>'
    startup = (
        '<StartupSection><Info>s</Info><Item ovf:id="in" ovf:order="1" ovf:startDelay="3"/>'
        '<Item ovf:id="web" ovf:order="2" ovf:waitingForGuest="true" ovf:stopAction="guestShutdown"/></StartupSection>'
    )
    outer = f'<VirtualSystemCollection ovf:id="shop"><Info>o</Info>{startup}{system("web")}{inner}'
    read = read_envelope(envelope(f"{outer}</VirtualSystemCollection>"))
    assert isinstance(read.content, VirtualSystemCollection)
    assert [found.id for found in read.content.systems()] == ["web", "db"]
    first, second = read.content.startup
    assert (first.id, first.order, first.start_delay) == ("in", 1, 3)
    assert (second.waiting_for_guest, second.stop_action) == (True, "guestShutdown")


def refused(content: bytes) -> str:
    with pytest.raises(PackageInvalid) as caught:
        read_envelope(content)
    assert caught.value.attribute == "source"
    return caught.value.message


def test_an_unknown_section_is_refused_when_it_does_not_say_that_it_is_optional() -> None:
    said = refused(envelope(system("v", sections='<vmw:Magic xmlns:vmw="http://example.com/m"/>')))
    assert "demands Magic in VirtualSystem 'v'" in said


@pytest.mark.parametrize("name", ["EncryptionSection", "PlacementGroupSection"])
def test_a_section_of_the_standard_that_is_not_obeyed_is_refused(name: str) -> None:
    assert f"demands {name}" in refused(envelope(system("v"), sections=f"<{name}><Info>x</Info></{name}>"))


def stacked(*parents: tuple[str, str]) -> bytes:
    """Disks with files, and what they stand on."""
    disks = "".join(
        f'<Disk ovf:diskId="{name}" ovf:capacity="1" ovf:fileRef="{name}" ovf:parentRef="{below}"/>'
        for name, below in parents
    )
    files = "".join(f'<File ovf:id="{name}" ovf:href="{name}.vmdk"/>' for name, _below in parents)
    sections = f"<DiskSection><Info>d</Info>{disks}</DiskSection>"
    return envelope(system("v"), references=files, sections=sections)


def test_a_disk_may_stand_on_others() -> None:
    read = read_envelope(stacked(("upper", "middle"), ("middle", "base"), ("base", "")))
    assert [read.below(disk) for disk in read.disks] == [("middle", "base"), ("base",), ()]


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ((("a", "lost"),), "stands on 'lost' (ovf:parentRef): there is none"),
        ((("a", "a"),), "stands on itself"),
        ((("a", "b"), ("b", "a")), "stands on itself"),
        ((*((f"d{number}", f"d{number + 1}") for number in range(20)), ("d20", "")), "more than 16 others"),
    ],
)
def test_a_disk_that_stands_on_nothing_or_on_itself_is_refused(parents: tuple[tuple[str, str], ...], said: str) -> None:
    assert said in refused(stacked(*parents))


def test_an_empty_disk_stands_on_none() -> None:
    one = '<Disk ovf:diskId="{}" ovf:capacity="1" {}/>'
    sections = one.format("a", 'ovf:parentRef="b"') + one.format("b", "")
    assert "one of both is empty" in refused(
        envelope(system("v"), sections=f"<DiskSection><Info>d</Info>{sections}</DiskSection>")
    )


def test_a_disk_in_a_file_that_is_not_named_is_refused() -> None:
    assert "References do not name" in refused(envelope(system("v"), sections=DISK.format(' ovf:fileRef="lost"')))


@pytest.mark.parametrize(
    "href",
    ["../disk.vmdk", "/etc/passwd", "a/../../b", "http://example.com/x", "file:///etc/passwd", "a\\b", "a&#10;b"],
)
def test_a_file_outside_of_the_package_is_refused(href: str) -> None:
    assert "package" in refused(envelope(system("v"), references=f'<File ovf:id="f" ovf:href="{href}"/>'))


def test_two_systems_of_one_id_are_refused() -> None:
    collection = (
        f'<VirtualSystemCollection ovf:id="c"><Info>c</Info>{system("v")}{system("v")}</VirtualSystemCollection>'
    )
    assert "two VirtualSystem ids" in refused(envelope(collection))


def test_a_package_without_a_system_is_refused() -> None:
    assert "0 virtual systems" in refused(
        envelope('<VirtualSystemCollection ovf:id="c"><Info>c</Info></VirtualSystemCollection>')
    )


def test_entities_are_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    assert "document type" in refused(bomb.encode() + envelope(system("&b;")))


def test_files_are_never_opened_by_an_entity() -> None:
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    assert "document type" in refused(outside.encode() + envelope(system("&a;")))


def test_absurd_depth_is_refused() -> None:
    assert "nested deeper" in refused(b"<a>" * 5000 + b"</a>" * 5000)


def test_absurd_numbers_of_elements_are_refused() -> None:
    assert "more than 100000 elements" in refused(b"<a>" + b"<b/>" * 100_001 + b"</a>")


@pytest.mark.parametrize("content", [b"", b"no xml", b"<Envelope/>", f'<Other xmlns="{ENVELOPE}"/>'.encode()])
def test_what_is_no_descriptor_is_refused(content: bytes) -> None:
    assert "the descriptor" in refused(content)
