"""Snapshots inside the qcow2 files of a domain (libvirt: internal), with the memory where there is any.

docs/snapshots.md says why these, and not libvirt's external ones. libvirt takes an internal snapshot of an active
domain with its memory only; one of the disks alone is asked of QEMU itself, in one transaction over all disks, and then
told to libvirt, which goes back to it and deletes it as if it had been taken while the domain was off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

import libvirt
from lxml import etree

from drivers.base import DriverBusy, DriverFailed, DriverNotFound, DriverUnsupported, Power, SnapshotFacts
from drivers.libvirt.connection import Connection
from drivers.libvirt.disk_exchange import WHOLE
from drivers.libvirt.domain_facts import PARSER
from drivers.libvirt.domain_xml import child
from drivers.libvirt.lanes import Lane
from drivers.libvirt.qemu_monitor import ask_qemu, drop_strays, without_strays

T = TypeVar("T")
DEADLINE = 3600.0
PATIENCE = 300.0
"""Seconds to wait for another job of libvirt on the same domain."""
LOOK_EVERY = 0.5
FORMAT = "qcow2"
LEFTOVER = "left by an interrupted run, and to be removed"
"""The description of a snapshot which libvirt is told of only to remove it from the disks."""
POWERS = {"running": Power.RUNNING, "paused": Power.PAUSED, "blocked": Power.RUNNING}


class Snapshots:
    """The part ``snapshots`` of the driver (drivers.base.SnapshotCalls)."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def _with(self, uuid: str, work: Callable[[libvirt.virDomain], T], lane: Lane = Lane.STORAGE) -> T:
        return await self._connection.call(
            lambda handle: work(handle.lookupByUUIDString(uuid)), lane=lane, deadline=DEADLINE
        )

    def obstacle(self, uefi: bool, formats: Iterable[str]) -> str | None:
        """Return what stands in the way of snapshots inside qcow2 files; None when nothing does."""
        if uefi:
            return "its firmware is UEFI, whose variables a snapshot inside qcow2 would leave out"
        others = sorted(set(formats) - {FORMAT})
        if others:
            return f"a disk of the format {others[0]} can hold no snapshot; all writable disks must be {FORMAT}"
        return None

    async def list_all(self, uuid: str) -> tuple[SnapshotFacts, ...]:
        """Return the snapshots that libvirt lists, but for those it was told of only to remove them."""
        return await self._with(uuid, lambda domain: tuple(map(_facts, _whole(domain))), Lane.CONTROL)

    async def take(self, uuid: str, name: str, *, memory: bool = True) -> SnapshotFacts:
        """Take the snapshot when libvirt is at work on the domain no more; of the disks alone QEMU takes it."""
        await self._wait_idle(uuid)
        return await self._with(uuid, lambda domain: _take(domain, name, memory))

    async def _wait_idle(self, uuid: str) -> None:
        """Wait until libvirt is at work on the domain no more; raise DriverBusy when that takes too long.

        libvirt lists a snapshot which it is still taking, for a client before us: let it finish first.
        """
        until = time.monotonic() + PATIENCE
        while await self._with(uuid, _busy, Lane.CONTROL):
            if time.monotonic() > until:
                raise DriverBusy("libvirt is at work on the domain (backup, migration or save); try again later")
            await asyncio.sleep(LOOK_EVERY)

    async def revert(self, uuid: str, name: str) -> None:
        """Go back to the snapshot, and remove the saved state, which libvirt would keep."""
        await self._wait_idle(uuid)
        await self._with(uuid, lambda domain: _revert(domain, name))

    async def delete(self, uuid: str, name: str) -> None:
        """Remove the snapshot from libvirt, and from the disks also where libvirt knows nothing of it."""
        try:
            await self._wait_idle(uuid)
            await self._with(uuid, lambda domain: _delete(domain, name))
        except DriverNotFound:
            return


def _busy(domain: libvirt.virDomain) -> bool:
    try:
        return bool(domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_OPERATION_INVALID:
            return False
        raise


def _find(domain: libvirt.virDomain, name: str) -> libvirt.virDomainSnapshot | None:
    try:
        return domain.snapshotLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
            raise
        return None


def _facts(snapshot: libvirt.virDomainSnapshot) -> SnapshotFacts:
    root = etree.fromstring(snapshot.getXMLDesc(0), PARSER)
    kinds = {element.get("snapshot") for element in (*root.iterfind("disks/disk"), *root.iterfind("memory"))}
    return SnapshotFacts(
        name=snapshot.getName(),
        parent=root.findtext("parent/name"),
        current=bool(snapshot.isCurrent()),
        power=POWERS.get(root.findtext("state") or "", Power.OFF),
        inside="external" not in kinds,
    )


def _whole(domain: libvirt.virDomain) -> list[libvirt.virDomainSnapshot]:
    return [snapshot for snapshot in domain.listAllSnapshots() if not _is_leftover(snapshot)]


def _is_leftover(snapshot: libvirt.virDomainSnapshot) -> bool:
    """Return whether libvirt died while it removed the snapshot: in the disks there may be nothing of it."""
    return bool(etree.fromstring(snapshot.getXMLDesc(0), PARSER).findtext("description") == LEFTOVER)


def _take(domain: libvirt.virDomain, name: str, memory: bool) -> SnapshotFacts:
    snapshot = _find(domain, name)
    if snapshot is not None and _is_leftover(snapshot):
        snapshot.delete(0)
        snapshot = None
    if snapshot is None:
        _refuse_mixed(domain)
        _clear(domain, name)
        snapshot = _take_disks_live(domain, name) if domain.isActive() and not memory else _take_whole(domain, name)
    return _facts(snapshot)


def _refuse_mixed(domain: libvirt.virDomain) -> None:
    """Raise DriverUnsupported for external snapshots: libvirt can neither revert nor delete a mixed chain."""
    if not all(_facts(snapshot).inside for snapshot in domain.listAllSnapshots()):
        raise DriverUnsupported("the domain has external snapshots, taken outside; the kinds cannot be mixed")


def _take_whole(domain: libvirt.virDomain, name: str) -> libvirt.virDomainSnapshot:
    root = etree.Element("domainsnapshot")
    child(root, "name", name)
    return without_strays(domain, lambda: domain.snapshotCreateXML(etree.tostring(root, encoding="unicode"), 0))


def _take_disks_live(domain: libvirt.virDomain, name: str) -> libvirt.virDomainSnapshot:
    drop_strays(domain)
    actions = [
        {"type": "blockdev-snapshot-internal-sync", "data": {"device": node, "name": name}}
        for node in _writable_nodes(domain)
    ]
    ask_qemu(domain, "transaction", actions=actions)
    try:
        return _tell_libvirt(domain, name, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT)
    except libvirt.libvirtError:
        _clear(domain, name)
        raise


def _writable_nodes(domain: libvirt.virDomain) -> list[str]:
    inserted = [entry["inserted"] for entry in ask_qemu(domain, "query-block") if "inserted" in entry]
    writable = [node for node in inserted if not node["ro"]]
    other = [node["drv"] for node in writable if node["drv"] != FORMAT]
    if other:
        raise DriverUnsupported(f"a disk of the format {other[0]} can hold no snapshot")
    return [node["node-name"] for node in writable]


def _tell_libvirt(
    domain: libvirt.virDomain, name: str, flags: int = 0, description: str | None = None
) -> libvirt.virDomainSnapshot:
    """Make libvirt know a snapshot of the disks which is in the qcow2 files already."""
    whole = etree.fromstring(domain.XMLDesc(WHOLE), PARSER)
    root = etree.Element("domainsnapshot")
    child(root, "name", name)
    if description is not None:
        child(root, "description", description)
    child(root, "state", "shutoff")
    child(root, "creationTime", str(int(time.time())))
    if domain.hasCurrentSnapshot():
        child(child(root, "parent"), "name", domain.snapshotCurrent().getName())
    child(root, "memory", snapshot="no")
    disks = child(root, "disks")
    for disk in whole.iterfind("devices/disk"):
        target = disk.find("target")
        if target is not None and disk.find("readonly") is None and disk.get("device") == "disk":
            child(disks, "disk", name=str(target.get("dev")), snapshot="internal")
    root.append(whole)
    text = etree.tostring(root, encoding="unicode")
    return domain.snapshotCreateXML(text, flags | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)


def _clear(domain: libvirt.virDomain, name: str) -> None:
    """Remove from the disks what an interrupted run left there and libvirt does not know of."""
    _tell_libvirt(domain, name, description=LEFTOVER).delete(0)


def _revert(domain: libvirt.virDomain, name: str) -> None:
    snapshot = domain.snapshotLookupByName(name)
    without_strays(domain, lambda: domain.revertToSnapshot(snapshot, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE))
    # libvirt keeps a saved state over a revert; started from it, the guest would write by stale caches.
    if domain.hasManagedSaveImage():
        domain.managedSaveRemove()


def _delete(domain: libvirt.virDomain, name: str) -> None:
    snapshot = _find(domain, name)
    if snapshot is None:
        _clear(domain, name)
    else:
        snapshot.delete(0)
    if _kept(domain, name):
        # libvirt passes over it when QEMU refuses to remove a snapshot.
        drop_strays(domain)
        _clear(domain, name)
        if _kept(domain, name):
            raise DriverFailed(f"QEMU does not remove the snapshot {name} from the disks of the running guest")


def _kept(domain: libvirt.virDomain, name: str) -> bool:
    """Return whether a running guest's disks still have the snapshot."""
    if not domain.isActive():
        return False
    images = [entry["inserted"]["image"] for entry in ask_qemu(domain, "query-block") if "inserted" in entry]
    return any(snapshot["name"] == name for image in images for snapshot in image.get("snapshots", []))
