"""Serial consoles on a real libvirt: the pool through which their logs are read."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import libvirt
import pytest

from drivers.base import HypervisorSettings
from drivers.libvirt import console
from drivers.libvirt.driver import LibvirtDriver
from tests import hypervisor

pytestmark = pytest.mark.qemu
UUID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A console pool of this test's own: the usual one belongs to every gateway of the host."""
    name = f"cimi-console-{uuid.uuid4().hex[:8]}"
    path = hypervisor.POOLS / name
    monkeypatch.setattr(console, "POOL", name)
    monkeypatch.setattr(console, "SYSTEM_DIRECTORY", str(path))
    return path


@pytest.fixture
async def driver(directory: Path) -> AsyncIterator[LibvirtDriver]:
    hypervisor.quiet()
    opened = LibvirtDriver(HypervisorSettings("local", "qemu:///system", "none", "default", "qemu"))
    await opened.open()
    assert await opened.domains.console_text(UUID, 100) == b""
    yield opened
    await opened.close()
    hypervisor.drop_pool(directory.name)


def stopped(pool: libvirt.virStoragePool) -> None:
    pool.destroy()


def undefined(pool: libvirt.virStoragePool) -> None:
    pool.destroy()
    pool.undefine()


def deleted(pool: libvirt.virStoragePool) -> None:
    for volume in pool.listAllVolumes():
        volume.delete(0)
    pool.destroy()
    pool.delete(0)
    pool.undefine()


@pytest.mark.parametrize("removed", [stopped, undefined, deleted])
async def test_a_console_is_read_again_after_an_admin_removed_its_pool(
    driver: LibvirtDriver, directory: Path, removed: Callable[[libvirt.virStoragePool], None]
) -> None:
    log = directory / f"{UUID}.log"
    log.write_bytes(b"before")
    assert await driver.domains.console_text(UUID, 100) == b"before"
    with hypervisor.connection() as host:
        pool = host.storagePoolLookupByName(directory.name)
        pool.refresh(0)
        removed(pool)
    assert await driver.domains.console_text(UUID, 100) == (b"before" if log.exists() else b"")
    log.write_bytes(b"after")
    assert await driver.domains.console_text(UUID, 100) == b"after"
