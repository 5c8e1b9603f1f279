"""Pools that the configuration describes, as libvirt's XML; and where their volumes are for QEMU."""

from __future__ import annotations

import pytest
from lxml import etree

from drivers.base import PoolSettings
from drivers.libvirt.disk_source import DiskSource
from drivers.libvirt.pool_xml import pool_xml

SCHEMA = "/usr/share/libvirt/schemas/storagepool.rng"
SECRET = "11111111-2222-4333-8444-555555555555"
POOLS = {
    "dir": PoolSettings("fast", kind="dir", path="/srv/fast"),
    "netfs": PoolSettings("nfs1", kind="netfs", path="/srv/nfs1", host="nas", source="/export/vms"),
    "logical": PoolSettings("vg0", kind="logical", source="vg0", devices=["/dev/sdb", "/dev/sdc"]),
    "iscsi": PoolSettings(
        "san", kind="iscsi", host="san1", port=3260, source="iqn.2013-06.example:t1", user="u", secret=SECRET
    ),
    "rbd": PoolSettings(
        "ceph", kind="rbd", host="mon1, mon2", port=6789, source="rbdpool", user="libvirt", secret=SECRET
    ),
}


def described(kind: str) -> etree._Element:
    return etree.fromstring(pool_xml(POOLS[kind]))


@pytest.mark.parametrize("kind", sorted(POOLS))
def test_every_kind_is_valid_for_libvirt(kind: str) -> None:
    schema = etree.RelaxNG(etree.parse(SCHEMA))
    assert schema.validate(described(kind)), schema.error_log


@pytest.mark.parametrize("kind", sorted(POOLS))
def test_kind_and_name_are_as_configured(kind: str) -> None:
    assert described(kind).get("type") == kind
    assert described(kind).findtext("name") == POOLS[kind].name


def test_a_directory_is_only_its_path() -> None:
    assert described("dir").findtext("target/path") == "/srv/fast"
    assert described("dir").find("source") is None


def test_an_export_is_mounted_from_its_host() -> None:
    pool = described("netfs")
    assert pool.find("source/host").get("name") == "nas"  # type: ignore[union-attr]
    assert pool.find("source/dir").get("path") == "/export/vms"  # type: ignore[union-attr]
    assert pool.find("source/format").get("type") == "nfs"  # type: ignore[union-attr]
    assert pool.findtext("target/path") == "/srv/nfs1"


def test_a_volume_group_shows_its_disks_and_stands_below_dev() -> None:
    pool = described("logical")
    assert [device.get("path") for device in pool.iterfind("source/device")] == ["/dev/sdb", "/dev/sdc"]
    assert pool.findtext("source/name") == "vg0"
    assert pool.findtext("target/path") == "/dev/vg0"


def test_a_target_is_reached_with_its_login() -> None:
    pool = described("iscsi")
    assert pool.find("source/host").attrib == {"name": "san1", "port": "3260"}  # type: ignore[union-attr]
    assert pool.find("source/device").get("path") == "iqn.2013-06.example:t1"  # type: ignore[union-attr]
    assert pool.find("source/auth").attrib == {"type": "chap", "username": "u"}  # type: ignore[union-attr]
    assert pool.find("source/auth/secret").get("uuid") == SECRET  # type: ignore[union-attr]
    assert pool.findtext("target/path") == "/dev/disk/by-path"


def test_a_ceph_pool_names_all_its_monitors() -> None:
    pool = described("rbd")
    assert [host.get("name") for host in pool.iterfind("source/host")] == ["mon1", "mon2"]
    assert pool.findtext("source/name") == "rbdpool"
    assert pool.find("source/auth").get("type") == "ceph"  # type: ignore[union-attr]
    assert pool.find("target") is None


def test_no_text_changes_the_structure() -> None:
    strange = PoolSettings("a'><b/>", kind="dir", path='/p&"</path>')
    pool = etree.fromstring(pool_xml(strange))
    assert [child.tag for child in pool] == ["name", "target"]
    assert pool.findtext("name") == strange.name


@pytest.mark.parametrize(
    ("path", "kind", "attribute"),
    [("/pool/a.qcow2", "file", "file"), ("/dev/vg0/a", "block", "dev"), ("/dev/disk/by-path/x", "block", "dev")],
)
def test_files_and_devices_are_named_by_their_path(path: str, kind: str, attribute: str) -> None:
    source = DiskSource.at(path)
    assert source.kind == kind
    assert dict(source.element().attrib.items()) == {attribute: path}


def test_a_ceph_image_carries_monitors_and_login_of_its_pool() -> None:
    source = DiskSource.at("rbdpool/a.raw", pool_xml(POOLS["rbd"]))
    element = source.element()
    assert source.kind == "network"
    assert (element.get("protocol"), element.get("name")) == ("rbd", "rbdpool/a.raw")
    assert [dict(host.attrib.items()) for host in element.iterfind("host")] == [
        {"name": "mon1", "port": "6789"},
        {"name": "mon2", "port": "6789"},
    ]
    assert element.find("auth").get("username") == "libvirt"  # type: ignore[union-attr]
    assert element.find("auth/secret").attrib == {"type": "ceph", "uuid": SECRET}  # type: ignore[union-attr]
