"""What the host can do, and which domain type really works there."""

from __future__ import annotations

import os
from pathlib import Path

import libvirt
from lxml import etree

from drivers.base import HostFacts

KVM_DEVICE = Path("/dev/kvm")
CONFINING = frozenset({"selinux", "apparmor"})
CPU_INFO = Path("/proc/cpuinfo")


def kvm_works(arches: dict[str, set[str]], arch: str, cpu_info: str, device_opens: bool) -> bool:
    """As virt-host-validate judges: libvirt offers it, the CPU has the flag, and the device opens.

    libvirt's word alone is not enough: it names kvm wherever the device node exists.
    """
    flags = set(cpu_info.split())
    flagged = bool(flags & {"svm", "vmx"}) or not arch.startswith("x86")
    return "kvm" in arches.get(arch, set()) and flagged and device_opens


def device_opens(device: Path = KVM_DEVICE) -> bool:
    """Whether guests could open it: libvirt's guests run as another user, so the group must have it.

    A hardened service has a /dev of its own without the node; then libvirt's word, that there is one, must do.
    """
    try:
        mode = device.stat().st_mode
    except FileNotFoundError:
        return True
    return os.access(device, os.R_OK | os.W_OK) or bool(mode & 0o060)


def read(connection: libvirt.virConnect, wanted: str) -> HostFacts:
    model, memory_mib, cpus, mhz, *_ = connection.getInfo()
    root = etree.fromstring(connection.getCapabilities())
    arches = {
        str(arch.get("name")): {str(domain.get("type")) for domain in arch.iterfind("domain")}
        for guest in root.iterfind("guest")
        if guest.findtext("os_type") == "hvm"
        for arch in guest.iterfind("arch")
    }
    domain_type = wanted
    if wanted == "auto":
        works = kvm_works(arches, model, CPU_INFO.read_text(), device_opens())
        domain_type = "kvm" if works else "qemu"
    if connection.getType() == "TEST":
        domain_type = "test"
    return HostFacts(
        cpus=cpus,
        memory_kib=memory_mib * 1024,
        cpu_mhz=mhz,
        arches=tuple(sorted(arches)),
        domain_type=domain_type,
        hypervisor_version=str(connection.getVersion()),
        uefi=_has_uefi(connection, domain_type),
        confinement=confinement_of(root),
    )


def confinement_of(capabilities: etree._Element) -> str:
    """The security model that confines guests; ``dac`` gives them a user of their own at most, ``none`` nothing."""
    models = [entry.text for entry in capabilities.iterfind("host/secmodel/model")]
    return next((model for model in models if model in CONFINING), "")


def _has_uefi(connection: libvirt.virConnect, domain_type: str) -> bool:
    """Whether libvirt finds firmware for UEFI guests; its test driver has no such word."""
    if domain_type == "test":
        return False
    root = etree.fromstring(connection.getDomainCapabilities(None, None, None, domain_type))
    return root.find("os/enum[@name='firmware'][value='efi']") is not None
