"""The host's abilities, and the domain type that really works there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from urllib.parse import urlsplit

import libvirt
from lxml import etree

from drivers.base import Autostarted, Boot, HostFacts
from drivers.libvirt.connection import Connection

CONFINING = frozenset({"selinux", "apparmor"})
VIRTUALISATION = frozenset({"svm", "vmx"})
"""The features of x86 CPUs that KVM needs."""


BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""The kernel's own name for the boot of this host."""
RUNTIME = "RUNTIME_DIRECTORY"
"""The variable in which systemd names a service's directory in /run, which lives as long as the boot."""
GROWN = 2
"""The factor by which a remote host's processor time has grown when its mark is written anew."""


class Host:
    """The hypervisor's host; what it can do is read once for each time that it is connected."""

    def __init__(self, connection: Connection, wanted_type: str) -> None:
        self._connection = connection
        self._wanted_type = wanted_type
        self._facts: HostFacts | None = None

    async def facts(self) -> HostFacts:
        """Return what the host has, memory in KiB."""
        if self._facts is None:
            self._facts = await self._connection.call(lambda handle: read(handle, self._wanted_type))
        return self._facts

    def forget(self) -> None:
        """Read the host again when it is asked for next: it may be another one behind a new connection."""
        self._facts = None

    async def boot(self, mark: str) -> Boot:
        """Return whether the host has booted since this mark was given."""
        return await self._connection.call(lambda handle: boot(handle, mark))

    async def autostarted(self) -> Autostarted:
        """Return which networks and pools start with the host."""
        return await self._connection.call(autostarted)


def boot(connection: libvirt.virConnect, mark: str) -> Boot:
    """Return whether the hypervisor's host has booted since this mark was given."""
    if urlsplit(connection.getURI()).netloc:
        return _remote_boot(connection.getCPUStats(libvirt.VIR_NODE_CPU_STATS_ALL_CPUS, 0), mark)
    name = this_boot()
    return Boot(name, name != mark)


def this_boot() -> str:
    """Return what names the present boot of this host, and no other one."""
    boot_id = BOOT_ID.read_text().strip()
    directory = os.environ.get(RUNTIME, "").partition(":")[0]
    if not directory:
        return boot_id
    # A service whose /proc is its own sees the kernel's boot there, also in a container that has booted meanwhile.
    began = Path(directory) / "boot"
    with contextlib.suppress(FileExistsError):
        began.touch(mode=0o600, exist_ok=False)
    return f"{boot_id}-{began.stat().st_mtime_ns}"


def _remote_boot(times: dict[str, int], mark: str) -> Boot:
    """Return whether a host that libvirt does not tell the boot of has booted.

    Its processors' time, idle or not, only grows until it boots again; less of it than was remembered is another boot.
    """
    passed = sum(times.values())
    before = int(mark) if mark.isascii() and mark.isdigit() else None
    if before is None or passed < before:
        return Boot(str(passed), new=True)
    return Boot(str(passed) if passed > GROWN * before else mark, new=False)


def kvm_works(connection: libvirt.virConnect, capabilities: etree._Element, arch: str) -> bool:
    """Return whether guests run by KVM on the hypervisor's host, as that host itself says.

    That libvirt names kvm is not enough: it does so wherever the device node exists. It has to be able to use it, which
    it tells with the capabilities of such domains, and an x86 CPU has to have the feature.
    """
    offered = capabilities.iterfind(f"guest/arch[@name='{arch}']/domain")
    if "kvm" not in {str(domain.get("type")) for domain in offered}:
        return False
    try:
        connection.getDomainCapabilities(None, arch, None, "kvm")
    except libvirt.libvirtError:
        return False
    return not arch.startswith("x86") or not VIRTUALISATION.isdisjoint(_cpu_features(connection, capabilities))


def _cpu_features(connection: libvirt.virConnect, capabilities: etree._Element) -> set[str]:
    """Return the features of the host's CPU, those that its model implies too."""
    cpu = capabilities.find("host/cpu")
    if cpu is None:
        return set()
    named = {str(feature.get("name")) for feature in cpu.iterfind("feature")}
    flags = libvirt.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES
    try:
        expanded = etree.fromstring(connection.baselineCPU([etree.tostring(cpu, encoding="unicode")], flags))
    except libvirt.libvirtError:
        return named
    return named | {str(feature.get("name")) for feature in expanded.iterfind("feature")}


def autostarted(connection: libvirt.virConnect) -> Autostarted:
    """Return which networks and pools libvirt starts with the host."""
    networks = connection.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_AUTOSTART)
    pools = connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)
    return Autostarted(frozenset(entry.name() for entry in networks), frozenset(entry.name() for entry in pools))


def read(connection: libvirt.virConnect, wanted: str) -> HostFacts:
    """Return what the host has; ``wanted`` is the domain type of the configuration, or ``auto``."""
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
        domain_type = "kvm" if kvm_works(connection, root, model) else "qemu"
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
    """Return the security model that confines guests.

    ``dac`` gives them a user of their own at most, and ``none`` nothing.
    """
    models = [entry.text for entry in capabilities.iterfind("host/secmodel/model")]
    return next((model for model in models if model in CONFINING), "")


def _has_uefi(connection: libvirt.virConnect, domain_type: str) -> bool:
    """Return whether libvirt finds firmware for UEFI guests; its test driver has no such word."""
    if domain_type == "test":
        return False
    root = etree.fromstring(connection.getDomainCapabilities(None, None, None, domain_type))
    return root.find("os/enum[@name='firmware'][value='efi']") is not None
