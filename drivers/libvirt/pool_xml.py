"""Storage pools as the configuration describes them, built from elements only."""

from __future__ import annotations

from lxml import etree

from drivers.base import PoolSettings
from drivers.libvirt.domain_xml import child

SOURCE_FORMATS = {"netfs": "nfs", "logical": "lvm2"}
TARGETS = {"iscsi": "/dev/disk/by-path"}
LOGINS = {"iscsi": "chap", "rbd": "ceph"}
BUILT = frozenset({"dir", "netfs"})
"""Kinds whose directory libvirt makes; making a volume group would take disks over."""


def pool_xml(pool: PoolSettings) -> str:
    """Return libvirt's definition of the pool."""
    root = etree.Element("pool", type=pool.kind)
    child(root, "name", pool.name)
    if pool.kind != "dir":
        _source(child(root, "source"), pool)
    target = pool.path or TARGETS.get(pool.kind, "")
    if pool.kind == "logical" and not target:
        target = f"/dev/{pool.source}"
    if target:
        child(child(root, "target"), "path", target)
    return etree.tostring(root, encoding="unicode")


def _source(source: etree._Element, pool: PoolSettings) -> None:
    for name in (part.strip() for part in pool.host.split(",") if part.strip()):
        child(source, "host", name=name, **({"port": str(pool.port)} if pool.port else {}))
    for device in pool.devices:
        child(source, "device", path=device)
    if pool.kind == "netfs":
        child(source, "dir", path=pool.source)
    elif pool.kind == "iscsi":
        child(source, "device", path=pool.source)
    else:
        child(source, "name", pool.source)
    if pool.kind in LOGINS and pool.user:
        login = child(source, "auth", type=LOGINS[pool.kind], username=pool.user)
        child(login, "secret", uuid=pool.secret)
    written = pool.source_format or SOURCE_FORMATS.get(pool.kind)
    if written is not None:
        child(source, "format", type=written)
