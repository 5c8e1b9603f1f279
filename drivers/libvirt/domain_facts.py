"""A domain as libvirt tells it, read into DomainFacts. Runs on worker threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import libvirt
from lxml import etree

from drivers.base import DiskFacts, DomainFacts, InterfaceFacts, Migration, Power
from drivers.libvirt.domain_xml import METADATA

D = TypeVar("D", DiskFacts, InterfaceFacts)
SOURCES = ("file", "dev", "name")
"""Attributes for the path of a disk's volume: of a file, a block device, an image of a network pool."""
PARSER = etree.XMLParser(resolve_entities=False, no_network=True)

_PAUSED = {
    libvirt.VIR_DOMAIN_PAUSED_IOERROR: "an I/O error",
    libvirt.VIR_DOMAIN_PAUSED_WATCHDOG: "its watchdog",
    libvirt.VIR_DOMAIN_PAUSED_CRASHED: "a guest crash",
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: "a failed migration",
}
_OFF = {
    libvirt.VIR_DOMAIN_SHUTOFF_CRASHED: "QEMU ended unexpectedly",
    libvirt.VIR_DOMAIN_SHUTOFF_FAILED: "the guest could not be started",
}
_KEEPS_RUNNING = frozenset(
    {
        libvirt.VIR_DOMAIN_PAUSED_DUMP,
        libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT,
        libvirt.VIR_DOMAIN_PAUSED_MIGRATION,
        libvirt.VIR_DOMAIN_PAUSED_STARTING_UP,
        libvirt.VIR_DOMAIN_PAUSED_SAVE,
    }
)


def keeps_running(state: int | None, reason: int | None) -> bool:
    """Return whether a domain is paused by libvirt itself for a moment, which counts as running."""
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in _KEEPS_RUNNING


def power(domain: libvirt.virDomain) -> tuple[Power, str]:
    """Return state and reason; a pause that libvirt itself makes for a moment counts as running."""
    state, reason = domain.state()
    if state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
        return Power.RUNNING, ""
    if state == libvirt.VIR_DOMAIN_PAUSED:
        if reason in _PAUSED:
            return Power.HELD, _PAUSED[reason]
        if reason == libvirt.VIR_DOMAIN_PAUSED_SHUTTING_DOWN:
            return Power.SHUTTING_DOWN, ""
        return (Power.RUNNING if reason in _KEEPS_RUNNING else Power.PAUSED), ""
    if state == libvirt.VIR_DOMAIN_PMSUSPENDED:
        return Power.PAUSED, "asleep"
    if state == libvirt.VIR_DOMAIN_SHUTDOWN:
        return Power.SHUTTING_DOWN, ""
    if state == libvirt.VIR_DOMAIN_CRASHED:
        return Power.CRASHED, "the guest crashed"
    if domain.hasManagedSaveImage():
        return Power.SAVED, ""
    return (Power.CRASHED, _OFF[reason]) if reason in _OFF else (Power.OFF, "")


def migration(domain: libvirt.virDomain) -> Migration:
    """Return what a migration has made of the domain's state."""
    match tuple(domain.state()[:2]):
        case (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION):
            return Migration.UNDERWAY
        case (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED):
            return Migration.LEFT
    return Migration.NONE


def read(domain: libvirt.virDomain) -> DomainFacts:
    """Return the facts of a domain: those of its next boot, with what a running guest has beside them."""
    state, reason = power(domain)
    root = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), PARSER)
    running = etree.fromstring(domain.XMLDesc(0), PARSER) if domain.isActive() else None
    owner = root.find(f"metadata/{{{METADATA}}}machine")
    vcpu = root.find("vcpu")
    assert vcpu is not None
    return DomainFacts(
        uuid=domain.UUIDString(),
        name=domain.name(),
        power=state,
        reason=reason,
        persistent=bool(domain.isPersistent()),
        cpus=int(vcpu.get("current") or vcpu.text or 1),
        memory_kib=int(root.findtext("currentMemory") or root.findtext("memory") or 0),
        disks=tuple(_devices(root, running, "disk", _disk, lambda disk: disk.target)),
        interfaces=tuple(_devices(root, running, "interface", _interface, lambda interface: interface.mac)),
        machine=owner.get("path") if owner is not None else None,
        owner=owner.get("owner") if owner is not None else None,
        title=root.findtext("title") or "",
        migration=migration(domain),
    )


def _devices(
    root: etree._Element,
    running: etree._Element | None,
    kind: str,
    facts: Callable[[etree._Element], D],
    key: Callable[[D], str],
) -> list[D]:
    """Return the devices of the next boot, then those that only the running guest has."""
    kept = [facts(element) for element in root.iterfind(f"devices/{kind}")]
    if running is None:
        return kept
    plugged = [facts(element) for element in running.iterfind(f"devices/{kind}")]
    now = {key(device) for device in plugged}
    later = {key(device) for device in kept}
    lasting = [replace(device, plugged=key(device) in now) for device in kept]
    return lasting + [replace(device, persistent=False) for device in plugged if key(device) not in later]


def _attribute(element: etree._Element, path: str, name: str) -> str:
    entry = element.find(path)
    return (entry.get(name) or "") if entry is not None else ""


def _disk(element: etree._Element) -> DiskFacts:
    source = element.find("source")
    return DiskFacts(
        target=_attribute(element, "target", "dev"),
        source=next((value for name in SOURCES if source is not None and (value := source.get(name))), ""),
        format=_attribute(element, "driver", "type"),
        cdrom=element.get("device") == "cdrom",
    )


def _interface(element: etree._Element) -> InterfaceFacts:
    mtu = _attribute(element, "mtu", "size")
    return InterfaceFacts(
        mac=_attribute(element, "mac", "address"),
        network=_attribute(element, "source", "network"),
        link_up=_attribute(element, "link", "state") != "down",
        mtu=int(mtu) if mtu else None,
    )
