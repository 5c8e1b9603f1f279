"""Descriptors are read as the products mean them, and refused with the place where they are wrong."""

from __future__ import annotations

import pytest

from gateway.ovf.deployment import Guest, deploy
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
        deploy(read_envelope(content))
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


# What products write besides the standard


def settings(kind: str, suffix: str) -> str:
    return f"http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_{kind}{suffix}"


@pytest.mark.parametrize("suffix", ["", ".xsd"])
def test_namespaces_of_hardware_are_read_in_both_spellings(suffix: str) -> None:
    head = (
        'xmlns="http://schemas.dmtf.org/ovf/envelope/2" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/2" '
        f'xmlns:rasd="{settings("ResourceAllocationSettingData", suffix)}" '
        f'xmlns:vssd="{settings("VirtualSystemSettingData", suffix)}" '
        f'xmlns:sasd="{settings("StorageAllocationSettingData", suffix)}" '
        f'xmlns:epasd="{settings("EthernetPortAllocationSettingData", suffix)}"'
    )
    storage = (
        "<StorageItem><sasd:AddressOnParent>0</sasd:AddressOnParent><sasd:HostResource>/disk/d</sasd:HostResource>"
        "<sasd:InstanceID>5</sasd:InstanceID><sasd:ResourceType>17</sasd:ResourceType></StorageItem>"
    )
    read = read_envelope(envelope(system("v", hardware=storage), sections=DISK.format(""), head=head))
    found = deploy(read)
    assert isinstance(found, Guest)
    assert [drive.disk for drive in found.drives] == ["d"]
    assert read.unsupported == ()


@pytest.mark.parametrize(("section", "text"), [("EulaSection", "License"), ("AnnotationSection", "Annotation")])
def test_prose_may_be_as_long_as_real_licences_are(section: str, text: str) -> None:
    prose = "x" * 1_048_576
    whole = f"<{section}><Info>i</Info><{text}>{prose}</{text}></{section}>"
    read = read_envelope(envelope(system("v", sections=whole)))
    assert isinstance(read.content, VirtualSystem)
    assert prose in (*read.content.eulas, read.content.annotation)
    assert "longer than 1048576" in refused(envelope(system("v", sections=whole.replace(prose, prose + "x"))))


@pytest.mark.parametrize("identity", ["-100", "1e9", "", "٣", "9" * 20])
def test_a_type_of_the_operating_system_that_is_no_number_is_unknown_and_told(identity: str) -> None:
    section = (
        f'<OperatingSystemSection ovf:id="{identity}"><Info>i</Info><Description>Other</Description>'
        "</OperatingSystemSection>"
    )
    read = read_envelope(envelope(system("v", sections=section)))
    assert isinstance(read.content, VirtualSystem)
    assert read.content.operating_system is not None
    assert (read.content.operating_system.id, read.content.operating_system.description) == (0, "Other")
    assert bool(read.ignored) is (identity != "")


def test_collections_without_an_id_are_called_by_their_names_or_numbered() -> None:
    inner = "<VirtualSystemCollection><Info>i</Info>{}</VirtualSystemCollection>"
    two = "".join(inner.format(system(name)) for name in ("a", "b"))
    named = f'<VirtualSystemCollection ovf:name="ExportedVirtualBoxMachines"><Info>i</Info>{two}'
    read = read_envelope(envelope(f"{named}</VirtualSystemCollection>"))
    assert isinstance(read.content, VirtualSystemCollection)
    ids = [read.content.id, *(part.id for part in read.content.content)]
    assert ids == ["ExportedVirtualBoxMachines", "collection", "collection 2"]


@pytest.mark.parametrize(
    ("sections", "hardware", "where"),
    [
        ('<m:Magic xmlns:m="http://example.com/m"/>', "", "Magic in VirtualSystem 'v'"),
        ("<PlacementGroupSection><Info>x</Info></PlacementGroupSection>", "", "PlacementGroupSection in"),
        ("", '<m:ExtraConfig xmlns:m="http://example.com/m"/>', "ExtraConfig in VirtualHardwareSection"),
    ],
)
def test_a_lax_importer_leaves_out_what_is_required_and_not_known_here(
    sections: str, hardware: str, where: str
) -> None:
    read = read_envelope(envelope(system("v", sections=sections, hardware=hardware)))
    assert any(where in part for part in read.unsupported)
    assert isinstance(deploy(read, lax=True), Guest)
    with pytest.raises(PackageInvalid, match=r"ovf\.lax"):
        deploy(read)


def test_a_lax_importer_leaves_out_devices_that_a_machine_cannot_have() -> None:
    device = "<Item><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceType>1</rasd:ResourceType></Item>"
    read = read_envelope(envelope(system("v", hardware=device)))
    found = deploy(read, lax=True)
    assert isinstance(found, Guest)
    assert "ResourceType 1" in found.notes[0]
    with pytest.raises(PackageInvalid, match=r"ovf\.lax"):
        deploy(read)


@pytest.mark.parametrize(
    ("kilobytes", "size"),
    [
        ("42949673", 42949673000),
        ("42949000", 42950721536),
        ("42000000", 42950721536),
        ("0", 42950721536),
        ("-5", 42950721536),
        ("x", 42950721536),
    ],
)
def test_our_own_word_for_a_capacity_counts_where_it_fits_what_was_made(kilobytes: str, size: int) -> None:
    own = f'xmlns:c="http://cimi-gateway.org/ns/1" c:kilobytes="{kilobytes}"'
    disk = DISK.replace('ovf:capacity="1"', 'ovf:capacity="42950721536"').format(f" {own}")
    drive = "<Item><rasd:InstanceID>9</rasd:InstanceID><rasd:ResourceType>17</rasd:ResourceType>"
    drive += "<rasd:HostResource>ovf:/disk/d</rasd:HostResource></Item>"
    found = deploy(read_envelope(envelope(system("v", hardware=drive), sections=disk)))
    assert isinstance(found, Guest)
    assert found.drives[0].capacity == size
