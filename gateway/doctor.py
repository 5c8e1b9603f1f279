"""What can be wrong on the host, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from drivers.base import (
    ConnectionState,
    Driver,
    DriverError,
    DriverNotFound,
    HypervisorSettings,
    PoolFacts,
    PoolSettings,
)
from gateway.config import Settings
from gateway.errors import GatewayError
from gateway.http.tls import Certificate
from gateway.private_files import ExposedFile, demand_private, private_files
from gateway.users import UsersError, read

LOW_SPACE = 2 * 1024**3
KVM = Path("/dev/kvm")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FORWARDING = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")


@dataclass(frozen=True, slots=True)
class Finding:
    """One look: ``level`` is ok, warning or error; ``advice`` says what to do."""

    level: str
    subject: str
    message: str
    advice: str = ""


async def examine(settings: Settings, drivers: dict[str, Driver]) -> AsyncIterator[Finding]:
    yield users(settings)
    for path in private_files(settings):
        yield private(path)
    if settings.server.tls_certificate:
        yield certificate(settings)
    yield store(settings)
    yield kvm()
    for directory in settings.images.directories:
        yield image_directory(Path(directory))
    yield staging_directory(Path(settings.images.staging))
    yield converter()
    if any(is_local(hypervisor.uri) for hypervisor in settings.hypervisors):
        for switch in FORWARDING:
            yield forwarding(Path(switch))
        yield packet_filter()
    for hypervisor in settings.hypervisors:
        async for finding in _hypervisor(hypervisor, drivers[hypervisor.name]):
            yield finding


def users(settings: Settings) -> Finding:
    path = Path(settings.auth.users_file)
    try:
        known = read(path)
    except UsersError as error:
        return Finding("error", "users", error.message)
    if not any(user.role == "admin" for user in known.values()):
        return Finding("error", "users", "there is no admin", "cimi-gateway user add NAME --role admin")
    return Finding("ok", "users", f"{len(known)} in {path}")


def private(path: Path) -> Finding:
    """The gateway does not start when others may read its key or the hashes of its users' passwords."""
    try:
        demand_private(path)
    except ExposedFile as error:
        return Finding("error", "secrets", error.message, f"chmod 0640 {path}")
    return Finding("ok", "secrets", f"{path} is private")


def certificate(settings: Settings) -> Finding:
    """The gateway does not start with one that it cannot use."""
    try:
        Certificate(Path(settings.server.tls_certificate), Path(settings.server.tls_key))
    except GatewayError as error:
        return Finding("error", "certificate", error.message)
    return Finding("ok", "certificate", settings.server.tls_certificate)


def store(settings: Settings) -> Finding:
    directory = Path(settings.store.path).parent
    if not directory.is_dir() or not os.access(directory, os.W_OK):
        return Finding("error", "store", f"{directory} cannot be written", f"mkdir -p {directory}, for this user")
    return Finding("ok", "store", str(settings.store.path))


def kvm(device: Path = KVM) -> Finding:
    """The node with mode 0600 makes libvirt probe QEMU anew at every look-up: a minute for each definition."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if device.exists() and not device.stat().st_mode & 0o060:
        advice = "chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, then restart libvirtd"
        return Finding("error", "kvm", "guests may not open /dev/kvm, which makes libvirt slow", advice)
    if not device.exists() or not flags & {"svm", "vmx"}:
        return Finding("warning", "kvm", "KVM does not work here: guests run slowly, by emulation (TCG)")
    return Finding("ok", "kvm", "usable")


def image_directory(path: Path) -> Finding:
    if not path.is_dir() or not os.access(path, os.R_OK | os.X_OK):
        advice = f"mkdir -p {path}, or change [images] directories"
        return Finding("warning", "images", f"{path} cannot be read", advice)
    return Finding("ok", "images", str(path))


def guests_reach(subject: str, pool: PoolFacts) -> Finding:
    """Guests run as libvirt's user, who must get through every directory on the way to the disks."""
    path = Path(pool.path or "/")
    closed = [step for step in (path, *path.parents) if _closed(step)]
    if closed:
        advice = f"chmod o+x {closed[-1]}, or move the pool below /var/lib/libvirt"
        return Finding("warning", subject, f"guests cannot get through {closed[-1]} to pool {pool.name}", advice)
    return Finding("ok", subject, f"guests reach pool {pool.name}")


def _closed(directory: Path) -> bool:
    try:
        return not directory.stat().st_mode & 0o001
    except OSError:
        # Not for us to see; libvirt may well.
        return False


def staging_directory(path: Path) -> Finding:
    place = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("error", "staging", f"{path} cannot be written", "change [images] staging")
    free = shutil.disk_usage(place).free
    if free < LOW_SPACE:
        return Finding("warning", "staging", f"{path} has {free} bytes free", "free some space")
    return Finding("ok", "staging", f"{path} has {free // 1024**3} GiB free")


def converter() -> Finding:
    missing = [name for name in ("qemu-img", "prlimit") if shutil.which(name) is None]
    if missing:
        advice = "apt-get install qemu-utils util-linux"
        return Finding("warning", "qemu-img", f"{missing[0]} is missing: images cannot be converted", advice)
    return Finding("ok", "qemu-img", "installed")


def is_local(uri: str) -> bool:
    """Whether the hypervisor is this host."""
    return not urlsplit(uri).netloc


def forwarding(switch: Path) -> Finding:
    """Networks of a ForwardingGroup and PUBLIC ones need the host to route."""
    if not switch.exists():
        return Finding("warning", "forwarding", f"{switch} is not there: this host has no such protocol")
    if switch.read_text().strip() == "0":
        name = ".".join(switch.parts[3:])
        advice = f"sysctl -w {name}=1, and the same in /etc/sysctl.d"
        return Finding("warning", "forwarding", f"{name} is off: Networks of a ForwardingGroup stay apart", advice)
    return Finding("ok", "forwarding", f"{'.'.join(switch.parts[3:])} is on")


def packet_filter() -> Finding:
    """libvirt runs these for the filters of guests' interfaces; without them no guest starts."""
    missing = [name for name in ("ebtables", "iptables", "ip6tables") if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        return Finding("error", "packet filter", f"{', '.join(missing)} not found", "apt install iptables ebtables")
    return Finding("ok", "packet filter", "ebtables, iptables and ip6tables are there")


async def _pool(subject: str, described: PoolSettings, driver: Driver) -> AsyncIterator[Finding]:
    name = described.name
    try:
        pool = await driver.pool(name)
    except DriverNotFound as error:
        if described.kind:
            yield Finding("warning", subject, f"pool {name} is not there yet", "the gateway defines it at its start")
        else:
            advice = f"virsh pool-define-as {name} dir --target DIRECTORY, then pool-start"
            yield Finding("error", subject, f"pool {name}: {error}", advice)
        return
    except DriverError as error:
        yield Finding("error", subject, f"pool {name}: {error}", f"virsh pool-info {name}")
        return
    if not pool.active:
        yield Finding("error", subject, f"pool {pool.name} is inactive", f"virsh pool-start {pool.name}")
        return
    if pool.available < LOW_SPACE:
        yield Finding("warning", subject, f"pool {pool.name} has {pool.available} bytes free", "free some space")
    else:
        yield Finding("ok", subject, f"pool {pool.name} has {pool.available // 1024**3} GiB free")
    if driver.can_overlay(pool):
        yield guests_reach(subject, pool)


async def _hypervisor(settings: HypervisorSettings, driver: Driver) -> AsyncIterator[Finding]:
    subject = f"hypervisor {settings.name}"
    if driver.connection is not ConnectionState.UP:
        advice = "systemctl start libvirtd, and see that this user is in the group libvirt"
        yield Finding("error", subject, f"{settings.uri} does not answer", advice)
        return
    yield Finding("ok", subject, f"{settings.uri} answers")
    for described in settings.every_pool:
        async for finding in _pool(subject, described, driver):
            yield finding
    try:
        network = await driver.network(settings.network)
    except DriverError as error:
        advice = "name another in [[hypervisor]] network"
        yield Finding("error", subject, f"network {settings.network}: {error}", advice)
    else:
        if network.active:
            yield Finding("ok", subject, f"network {network.name} is active")
        else:
            yield Finding("error", subject, f"network {network.name} is inactive", f"virsh net-start {network.name}")
