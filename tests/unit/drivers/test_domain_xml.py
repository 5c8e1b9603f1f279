"""Domain definitions: what the spec says is there, and no text can change their structure."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from drivers.base import DiskSpec, DomainSpec, InterfaceSpec
from drivers.libvirt.disk_source import DiskSource
from drivers.libvirt.domain_xml import METADATA, Placement, disk_element, domain_xml
from drivers.libvirt.domains import undefine_flags

SPEC = DomainSpec(
    uuid="00000000-0000-4000-8000-000000000001",
    machine="machines/00000000-0000-4000-8000-000000000001",
    owner="me",
    title="web",
    description="front end",
    cpus=2,
    memory_kib=131072,
    arch="x86_64",
    disks=(
        DiskSpec("p", "a.qcow2", "qcow2", "vda", boot_order=1),
        DiskSpec("p", "seed.iso", "raw", "sda", read_only=True, cdrom=True),
    ),
    interfaces=(InterfaceSpec("52:54:00:00:00:01", "default", mtu=1400, link_up=False),),
)
SOURCES = {("p", name): DiskSource.at(f"/p/{name}") for name in ("a.qcow2", "seed.iso")}
PLACEMENT = Placement("qemu", 8, "/console/x.log", SOURCES)


def root(spec: DomainSpec = SPEC, placement: Placement = PLACEMENT) -> etree._Element:
    return etree.fromstring(domain_xml(spec, placement))


def shape(element: etree._Element) -> list[object]:
    return [element.tag, sorted(element.keys()), [shape(entry) for entry in element]]


def test_formats_are_always_said() -> None:
    assert [driver.get("type") for driver in root().iterfind("devices/disk/driver")] == ["qcow2", "raw"]


def test_a_disk_is_shareable_past_the_cache_only_when_it_was_asked() -> None:
    plain, shared = SPEC.disks[0], replace(SPEC.disks[0], format="raw", shareable=True)
    found = [disk_element(disk, DiskSource.at("/p/a")) for disk in (plain, shared)]
    assert [disk.find("shareable") is not None for disk in found] == [False, True]
    assert [disk.find("driver").get("cache") for disk in found] == [None, "none"]  # type: ignore[union-attr]


def test_a_guest_has_the_shares_that_it_was_given_and_none_without() -> None:
    assert root().find("cputune") is None
    assert root(replace(SPEC, cpu_shares=200)).findtext("cputune/shares") == "200"


def test_what_a_disk_is_read_and_written_is_bounded_only_where_it_was_asked() -> None:
    plain = SPEC.disks[0]
    bounded = disk_element(replace(plain, operations=500, bandwidth=10_000), DiskSource.at("/p/a"))
    assert disk_element(plain, DiskSource.at("/p/a")).find("iotune") is None
    assert bounded.findtext("iotune/total_bytes_sec") == "10000000"
    assert bounded.findtext("iotune/total_iops_sec") == "500"


def test_cpus_can_be_raised_while_running() -> None:
    vcpu = root().find("vcpu")
    assert vcpu is not None
    assert (vcpu.get("current"), vcpu.text) == ("2", "4")


def test_the_interface_has_what_was_asked() -> None:
    interface = root().find("devices/interface")
    assert interface is not None
    assert interface.find("mtu").get("size") == "1400"  # type: ignore[union-attr]
    assert interface.find("link").get("state") == "down"  # type: ignore[union-attr]


def test_the_metadata_names_machine_and_owner() -> None:
    mark = root().find(f"metadata/{{{METADATA}}}machine")
    assert mark is not None
    assert (mark.get("path"), mark.get("owner")) == (SPEC.machine, "me")


def test_a_uefi_guest_asks_for_firmware() -> None:
    assert root().find("os").get("firmware") is None  # type: ignore[union-attr]
    assert root(replace(SPEC, uefi=True)).find("os").get("firmware") == "efi"  # type: ignore[union-attr]


def test_a_volume_that_is_a_device_is_a_block_disk() -> None:
    placement = replace(PLACEMENT, sources={**SOURCES, ("p", "a.qcow2"): DiskSource.at("/dev/vg/a")})
    disk = root(placement=placement).find("devices/disk")
    assert disk is not None
    assert disk.get("type") == "block"
    assert disk.find("source").get("dev") == "/dev/vg/a"  # type: ignore[union-attr]


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), min_size=1))
def test_no_text_changes_the_structure(text: str) -> None:
    strange = replace(SPEC, title=text, description=text, owner=text)
    assert shape(root(strange)) == shape(root())


def test_libvirts_test_driver_gets_only_the_undefine_flags_it_knows() -> None:
    assert undefine_flags(test_driver=True) == 1 | 2
    assert undefine_flags(test_driver=False) == 1 | 2 | 4 | 16
