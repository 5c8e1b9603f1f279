"""What an admin does to move a gateway's guest by libvirt's own means, disks included."""

from __future__ import annotations

import json
import shutil
from xml.etree import ElementTree

from tests.hosts.recipe import POOL_PATH, RemoteHost
from tests.urls import uuid_of


def bring_what_libvirt_does_not(machine: str, source: RemoteHost, target: RemoteHost) -> None:
    """Images that disks stand on, empty disks on top of them, read-only disks, filters, the console's directory."""
    names = sorted(path.name for path in source.images.iterdir())
    for name in names:
        if name.startswith("cimi-image-") or name == f"cimi-{uuid_of(machine)}-seed.iso":
            shutil.copyfile(source.images / name, target.images / name)
    for name in names:
        if uuid_of(machine) in name and not name.endswith(".iso"):
            _make_overlay(f"{POOL_PATH}/{name}", source, target)
    target.virsh("pool-refresh", "default")
    target.consoles.mkdir(mode=0o711, exist_ok=True)
    known = _filters(target)
    for name in _by_need(source):
        if name not in known:
            _define_filter(name, source, target)


def _make_overlay(disk: str, source: RemoteHost, target: RemoteHost) -> None:
    """libvirt fills it; it makes no disk itself that stands on another."""
    known = json.loads(source.run("qemu-img", "info", "--force-share", "--output", "json", disk))
    base = ("-b", known["backing-filename"], "-F", known["backing-filename-format"])
    target.run("qemu-img", "create", "-q", "-f", "qcow2", *base, disk, str(known["virtual-size"]))


def _filters(host: RemoteHost) -> dict[str, ElementTree.Element]:
    """Its packet filters by name."""
    names = [line.split()[1] for line in host.virsh("nwfilter-list").splitlines()]
    return {name: ElementTree.fromstring(host.virsh("nwfilter-dumpxml", name)) for name in names}


def _by_need(host: RemoteHost) -> list[str]:
    """Each after those that it refers to."""
    filters, ordered = _filters(host), list[str]()
    while len(ordered) < len(filters):
        for name, root in filters.items():
            needed = {str(reference.get("filter")) for reference in root.iter("filterref")}
            if name not in ordered and needed <= set(ordered):
                ordered.append(name)
    return ordered


def _define_filter(name: str, source: RemoteHost, target: RemoteHost) -> None:
    file = target.home / "filter.xml"
    file.write_text(source.virsh("nwfilter-dumpxml", name))
    target.virsh("nwfilter-define", str(file))


def migrate(machine: str, source: RemoteHost, target: RemoteHost, *extra: str) -> None:
    """Live, with its disks; the definition goes along."""
    flags = ("--live", "--p2p", "--persistent", "--copy-storage-inc", "--unsafe", *extra)
    source.virsh("migrate", *flags, uuid_of(machine), target.uri)
