"""A look at all that can be wrong on the host, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from drivers.base import (
    ConnectionState,
    Driver,
    DriverError,
    DriverNotFound,
    HypervisorSettings,
    NetworkFacts,
    PoolFacts,
    PoolSettings,
)
from drivers.images.file_systems import PACKAGES, installed
from gateway.config import ConfigError, Settings
from gateway.findings import Finding
from gateway.http.tls import configured_certificate
from gateway.private_files import ExposedFile, demand_private, private_files
from gateway.router_advertisements import router_advertisements
from gateway.service_view import UNIT
from gateway.store.keyring import demand_usable_keys
from gateway.users import UsersError, read

LOW_SPACE = 2 * 1024**3
KVM = Path("/dev/kvm")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
OUT_OF_SIGHT = "the service sees nothing of /home, /root, /tmp and /var/tmp: use /srv, or docs/operations.md"
FORWARDING = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")


async def examine(settings: Settings, drivers: dict[str, Driver]) -> AsyncIterator[Finding]:
    """Yield what depends on who looks, and on which files it sees: to be looked at in the service's place."""
    yield users(settings)
    for path in private_files(settings):
        yield private(path)
    if settings.server.tls_certificate:
        yield certificate(settings)
    yield store(settings)
    yield store_keys(settings)
    for directory in settings.images.directories:
        yield image_directory(Path(directory))
    for directory in settings.images.export_directories:
        yield export_directory(Path(directory))
    yield staging_directory(Path(settings.images.staging))
    yield converter()
    for tool in PACKAGES:
        yield file_system_tool(tool)
    for hypervisor in settings.hypervisors:
        async for finding in _hypervisor(hypervisor, drivers[hypervisor.name]):
            yield finding


def examine_host(settings: Settings) -> Iterator[Finding]:
    """Yield what is the same for everybody, and what the service's own view of the host hides (its devices)."""
    if any(is_local(hypervisor.uri) for hypervisor in settings.hypervisors):
        yield kvm()
        # Before forwarding, which would take the routes of these away.
        yield from router_advertisements()
        for switch in FORWARDING:
            yield forwarding(Path(switch))
        yield packet_filter()


def users(settings: Settings) -> Finding:
    """Return whether the users file can be read and has an admin."""
    path = Path(settings.auth.users_file)
    try:
        entries = read(path)
    except UsersError as error:
        return Finding("error", "users", error.message)
    if not any(user.role == "admin" for user in entries.values()):
        return Finding("error", "users", "there is no admin", "cimi-gateway user add NAME --role admin")
    return Finding("ok", "users", f"{len(entries)} in {path}")


def private(path: Path) -> Finding:
    """Return whether others may read a file of secrets.

    The gateway does not start when its key or the hashes of its users' passwords are exposed.
    """
    try:
        demand_private(path)
    except ExposedFile as error:
        return Finding("error", "secrets", error.message, f"chmod 0640 {path}")
    return Finding("ok", "secrets", f"{path} is private")


def certificate(settings: Settings) -> Finding:
    """Return whether the TLS certificate can be used: the gateway does not start with another one."""
    try:
        configured_certificate(settings.server)
    except ConfigError as error:
        return Finding("error", "certificate", error.message)
    return Finding("ok", "certificate", settings.server.tls_certificate)


def store(settings: Settings) -> Finding:
    """Return whether the store's directory can be written."""
    directory = Path(settings.store.path).parent
    if not _is_directory(directory) or not os.access(directory, os.W_OK):
        return Finding("error", "store", f"{directory} cannot be written", f"mkdir -p {directory}, for this user")
    return Finding("ok", "store", str(settings.store.path))


def store_keys(settings: Settings) -> Finding:
    """Return whether the store's keys can be used: the gateway does not start with others."""
    try:
        demand_usable_keys(Path(settings.store.path), settings.store.key, settings.store.former_keys)
    except ExposedFile as error:
        return Finding("error", "store key", error.message)
    except ConfigError as error:
        advice = "put it back from its copy: no new one opens what is sealed in the store"
        return Finding("error", "store key", error.message, advice)
    return Finding("ok", "store key", "usable, or made by the first start")


def _is_directory(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path's raises where a directory may not be searched


def kvm(device: Path = KVM) -> Finding:
    """Return whether guests can use KVM.

    The node with mode 0600 makes libvirt probe QEMU anew at every look-up: a minute for each definition.
    """
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if device.exists() and not device.stat().st_mode & 0o060:
        advice = "chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, then restart libvirtd"
        return Finding("error", "kvm", "guests may not open /dev/kvm, which makes libvirt slow", advice)
    if not device.exists() or not flags & {"svm", "vmx"}:
        return Finding("warning", "kvm", "KVM does not work here: guests run slowly, by emulation (TCG)")
    return Finding("ok", "kvm", "usable")


def image_directory(path: Path) -> Finding:
    """Return whether a directory that images come from can be read."""
    if not _is_directory(path) or not os.access(path, os.R_OK | os.X_OK):
        advice = f"mkdir -p {path}, readable for the service's user; {OUT_OF_SIGHT}"
        return Finding("warning", "images", f"{path} cannot be read", advice)
    return Finding("ok", "images", str(path))


def export_directory(path: Path) -> Finding:
    """Return whether a directory that packages are written to can be written."""
    if not os.access(path, os.W_OK | os.X_OK):
        advice = f"mkdir -p {path}, owned by the service's user; systemctl edit {UNIT}: [Service] ReadWritePaths={path}"
        return Finding("warning", "exports", f"{path} cannot be written", advice)
    return Finding("ok", "exports", str(path))


def guests_reach(subject: str, pool: PoolFacts) -> Finding:
    """Return whether guests reach a pool.

    Guests run as libvirt's user, who must get through every directory on the way to the disks.
    """
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
    """Return whether the staging directory, or the one in which it will be made, can be written and has room."""
    place = next(parent for parent in (path, *path.parents) if _is_directory(parent))
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding("error", "staging", f"{path} cannot be written", "change [images] staging")
    free = shutil.disk_usage(place).free
    if free < LOW_SPACE:
        return Finding("warning", "staging", f"{path} has {free} bytes free", "free some space")
    return Finding("ok", "staging", f"{path} has {free // 1024**3} GiB free")


def converter() -> Finding:
    """Return whether the programs are installed by which images are converted."""
    missing = [name for name in ("qemu-img", "prlimit") if shutil.which(name) is None]
    if missing:
        advice = "apt-get install qemu-utils util-linux"
        return Finding("warning", "qemu-img", f"{missing[0]} is missing: images cannot be converted", advice)
    return Finding("ok", "qemu-img", "installed")


def file_system_tool(tool: str) -> Finding:
    """Return whether a program that makes a file system is installed.

    Without it new Volumes of this file system are unformatted.
    """
    if not installed(tool):
        message = f"{tool} is missing: Volumes of its file system are unformatted"
        return Finding("warning", "file systems", message, f"apt-get install {PACKAGES[tool]}")
    return Finding("ok", "file systems", f"{tool} is installed")


def is_local(uri: str) -> bool:
    """Return whether the hypervisor of a libvirt URI is this host."""
    return not urlsplit(uri).netloc


def forwarding(switch: Path) -> Finding:
    """Return whether the host routes, which Networks of a ForwardingGroup and PUBLIC ones need."""
    if not switch.exists():
        return Finding("warning", "forwarding", f"{switch} is not there: this host has no such protocol")
    if switch.read_text().strip() == "0":
        name = ".".join(switch.parts[3:])
        advice = f"sysctl -w {name}=1, and the same in /etc/sysctl.d"
        return Finding("warning", "forwarding", f"{name} is off: Networks of a ForwardingGroup stay apart", advice)
    return Finding("ok", "forwarding", f"{'.'.join(switch.parts[3:])} is on")


def packet_filter() -> Finding:
    """Return whether the programs are installed that libvirt runs for the filters of guests' interfaces.

    Without them no guest starts.
    """
    missing = [name for name in ("ebtables", "iptables", "ip6tables") if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        return Finding("error", "packet filter", f"{', '.join(missing)} not found", "apt install iptables ebtables")
    return Finding("ok", "packet filter", "ebtables, iptables and ip6tables are there")


async def _pool(settings: HypervisorSettings, described: PoolSettings, driver: Driver) -> AsyncIterator[Finding]:
    subject, name = f"hypervisor {settings.name}", described.name
    try:
        pool = await driver.storage.read_pool(name)
    except DriverNotFound as error:
        if described.kind:
            yield Finding("warning", subject, f"pool {name} is not there yet", "the gateway defines it at its start")
        else:
            advice = f"virsh pool-define-as {name} dir --target DIRECTORY && {_lasting('pool', name)}"
            yield Finding("error", subject, f"pool {name}: {error}", advice)
        return
    except DriverError as error:
        yield Finding("error", subject, f"pool {name}: {error}", f"virsh pool-info {name}")
        return
    if not pool.active:
        yield Finding("error", subject, f"pool {pool.name} is inactive", _lasting("pool", name))
        return
    if name not in (await driver.autostarted()).pools:
        yield _forgotten(subject, "pool", name)
    if pool.available < LOW_SPACE:
        yield Finding("warning", subject, f"pool {pool.name} has {pool.available} bytes free", "free some space")
    else:
        yield Finding("ok", subject, f"pool {pool.name} has {pool.available // 1024**3} GiB free")
    if driver.storage.can_overlay(pool) and is_local(settings.uri):
        yield guests_reach(subject, pool)


def _unserved(settings: HypervisorSettings, driver: Driver) -> Finding:
    """Say why a hypervisor is not up; on another host it is TLS, the network or the daemon there."""
    subject, reason = f"hypervisor {settings.name}", f": {driver.reason}" if driver.reason else ""
    if driver.twin:
        message = f"{settings.uri} leads to the same libvirt as the hypervisor {driver.twin}, and is not served"
        return Finding("error", subject, message, "remove one of the two [[hypervisor]] entries")
    advice = "systemctl start libvirtd, and see that this user is in the group libvirt"
    if not is_local(settings.uri):
        advice = f"virsh -c '{settings.uri}' version, as the gateway's user; see docs/hosts.md"
    return Finding("error", subject, f"{settings.uri} does not answer{reason}", advice)


async def confinement(settings: HypervisorSettings, driver: Driver) -> Finding:
    """Return whether guests are confined.

    Without SELinux or AppArmor guests part only by the user that they all run as.
    """
    subject = f"hypervisor {settings.name}"
    try:
        host = await driver.host()
    except DriverError as error:
        return Finding("error", subject, f"its capabilities cannot be read: {error}", "virsh capabilities")
    if host.confinement:
        return Finding("ok", subject, f"guests are confined by {host.confinement}")
    level = "error" if settings.require_confinement else "warning"
    advice = "switch on AppArmor or SELinux, with security_driver in /etc/libvirt/qemu.conf, and restart libvirtd"
    return Finding(level, subject, "guests are not confined: neither SELinux nor AppArmor is on for libvirt", advice)


async def _hypervisor(settings: HypervisorSettings, driver: Driver) -> AsyncIterator[Finding]:
    subject = f"hypervisor {settings.name}"
    if driver.connection is not ConnectionState.UP:
        yield _unserved(settings, driver)
        return
    yield Finding("ok", subject, f"{settings.uri} answers")
    yield await confinement(settings, driver)
    for described in settings.every_pool:
        async for finding in _pool(settings, described, driver):
            yield finding
    try:
        network = await driver.networks.read(settings.network)
    except DriverError as error:
        advice = "name another in [[hypervisor]] network"
        yield Finding("error", subject, f"network {settings.network}: {error}", advice)
    else:
        yield await _network(subject, network, driver)
    async for finding in _own_networks(subject, driver):
        yield finding


async def _network(subject: str, network: NetworkFacts, driver: Driver) -> Finding:
    if not network.active:
        return Finding("error", subject, f"network {network.name} is inactive", _lasting("net", network.name))
    if network.name not in (await driver.autostarted()).networks:
        return _forgotten(subject, "net", network.name)
    return Finding("ok", subject, f"network {network.name} is active")


async def _own_networks(subject: str, driver: Driver) -> AsyncIterator[Finding]:
    """Yield the networks of gateways that start with the host, and do not run."""
    wanted = (await driver.autostarted()).networks
    for network in await driver.networks.list_all():
        if network.network and network.name in wanted and not network.active:
            message = f"{network.name} ({network.network}) should run and does not"
            yield Finding("error", subject, message, f"virsh net-start {network.name} says why")


def _lasting(kind: str, name: str) -> str:
    """Return the commands of virsh that start a network ("net") or a pool, now and with the host."""
    return f"virsh {kind}-start {name} && virsh {kind}-autostart {name}"


def _forgotten(subject: str, kind: str, name: str) -> Finding:
    word = "network" if kind == "net" else kind
    message = f"{word} {name} is active, and does not start with the host"
    return Finding("warning", subject, message, f"virsh {kind}-autostart {name}")
