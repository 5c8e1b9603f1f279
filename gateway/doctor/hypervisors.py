"""A look at a hypervisor: whether it answers, and its pools and networks."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator
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
from gateway.doctor.files import LOW_SPACE
from gateway.doctor.finding import Finding, Level

USUAL = "qemu:///system"
"""What virsh connects to by itself when root calls it."""
USUAL_POOL, DIRECTORY = "default", "/var/lib/libvirt/images"
"""The pool that everybody means by this name, and where libvirt's own packages have room for it."""


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


async def _pool(settings: HypervisorSettings, described: PoolSettings, driver: Driver) -> AsyncIterator[Finding]:
    subject, name = _subject(settings), described.name
    try:
        pool = await driver.storage.read_pool(name)
    except DriverNotFound as error:
        if described.kind:
            yield Finding("warning", subject, f"pool {name} is not there yet", "the gateway defines it at its start")
        else:
            usual = name == USUAL_POOL and settings.uri == USUAL
            define = f"{_virsh(settings, 'pool-define-as', name)} dir --target {DIRECTORY if usual else 'DIRECTORY'}"
            advice = f"{define} && {_lasting(settings, 'pool', name)}"
            yield Finding("error", subject, f"pool {name}: {error}", advice, fixable=usual)
        return
    except DriverError as error:
        yield Finding("error", subject, f"pool {name}: {error}", _virsh(settings, "pool-info", name))
        return
    if not pool.active:
        yield Finding("error", subject, f"pool {pool.name} is inactive", _lasting(settings, "pool", name), fixable=True)
        return
    if name not in (await driver.autostarted()).pools:
        yield _forgotten(settings, "pool", name)
    if pool.available < LOW_SPACE:
        yield Finding("warning", subject, f"pool {pool.name} has {pool.available} bytes free", "free some space")
    else:
        yield Finding("ok", subject, f"pool {pool.name} has {pool.available // 1024**3} GiB free")
    if driver.storage.can_overlay(pool) and is_local(settings.uri):
        yield guests_reach(subject, pool)


def _unserved(settings: HypervisorSettings, driver: Driver) -> Finding:
    """Say why a hypervisor is not up; on another host it is TLS, the network or the daemon there."""
    subject, reason = _subject(settings), f": {driver.reason}" if driver.reason else ""
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
    subject = _subject(settings)
    try:
        host = await driver.host()
    except DriverError as error:
        return Finding("error", subject, f"its capabilities cannot be read: {error}", "virsh capabilities")
    if host.confinement:
        return Finding("ok", subject, f"guests are confined by {host.confinement}")
    level: Level = "error" if settings.require_confinement else "warning"
    advice = "switch on AppArmor or SELinux, with security_driver in /etc/libvirt/qemu.conf, and restart libvirtd"
    return Finding(level, subject, "guests are not confined: neither SELinux nor AppArmor is on for libvirt", advice)


async def hypervisor_findings(settings: HypervisorSettings, driver: Driver) -> AsyncIterator[Finding]:
    """Yield what there is to say of a hypervisor."""
    subject = _subject(settings)
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
        yield await _network(settings, network, driver)
    async for finding in _own_networks(settings, driver):
        yield finding


async def _network(settings: HypervisorSettings, network: NetworkFacts, driver: Driver) -> Finding:
    subject = _subject(settings)
    if not network.active:
        advice = _lasting(settings, "net", network.name)
        return Finding("error", subject, f"network {network.name} is inactive", advice, fixable=True)
    if network.name not in (await driver.autostarted()).networks:
        return _forgotten(settings, "net", network.name)
    return Finding("ok", subject, f"network {network.name} is active")


async def _own_networks(settings: HypervisorSettings, driver: Driver) -> AsyncIterator[Finding]:
    """Yield the networks of gateways that start with the host, and do not run."""
    wanted = (await driver.autostarted()).networks
    for network in await driver.networks.list_all():
        if network.network and network.name in wanted and not network.active:
            message = f"{network.name} ({network.network}) should run and does not"
            # It says why it cannot.
            start = _virsh(settings, "net-start", network.name)
            yield Finding("error", _subject(settings), message, start, fixable=True)


def _virsh(settings: HypervisorSettings, verb: str, name: str) -> str:
    """Return a command of virsh about a network or pool of the hypervisor."""
    connect = "" if settings.uri == USUAL else f"-c {shlex.quote(settings.uri)} "
    return f"virsh {connect}{verb} {shlex.quote(name)}"


def _lasting(settings: HypervisorSettings, kind: str, name: str) -> str:
    """Return the commands of virsh that start a network ("net") or a pool, now and with the host."""
    return f"{_virsh(settings, f'{kind}-start', name)} && {_virsh(settings, f'{kind}-autostart', name)}"


def _forgotten(settings: HypervisorSettings, kind: str, name: str) -> Finding:
    word = "network" if kind == "net" else kind
    message = f"{word} {name} is active, and does not start with the host"
    return Finding("warning", _subject(settings), message, _virsh(settings, f"{kind}-autostart", name), fixable=True)


def _subject(settings: HypervisorSettings) -> str:
    return f"hypervisor {settings.name}"


def is_local(uri: str) -> bool:
    """Return whether the hypervisor of a libvirt URI is this host."""
    return not urlsplit(uri).netloc
