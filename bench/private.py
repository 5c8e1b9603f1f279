"""A private gateway over the in-memory hypervisor, with as many stored Machines as wanted."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt

from drivers.base import DomainFacts, HypervisorSettings, Power, VolumeFacts
from drivers.memory import MemoryDriver
from gateway import config, users
from gateway.app import Gateway
from gateway.garbage import spare_what_is_there
from gateway.orchestration.common.resource_service import component
from gateway.orchestration.monitoring.recorder import Recorder, new_log
from gateway.store.model import Resource
from gateway.store.store import Store

RARE, RARE_CPU = 42, 64
"""The one machine that has so many cpus."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def settings(home: Path, quotas: Mapping[str, int] | None = None) -> config.Settings:
    admin = users.User("admin", "admin", bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode())
    users.write(home / "users", {"admin": admin})
    return config.Settings(
        path=home / "gateway.toml",
        server=config.ServerSettings(listen=f"127.0.0.1:{free_port()}"),
        store=config.StoreSettings(str(home / "gateway.db")),
        auth=config.AuthSettings(str(home / "users")),
        images=config.ImageSettings([str(home / "images")], staging=str(home / "staging")),
        jobs=config.JobSettings(),
        events=config.EventSettings(most_streams_per_user=1000),
        # More Machines are stored as running than any host could carry.
        hypervisors=(
            HypervisorSettings("local", "memory", "default", "default", memory_overcommit=0, cpu_overcommit=0),
        ),
        quotas=quotas or {},
    )


def machine(number: int) -> Resource:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    document = {
        "name": f"machine {number}",
        "description": "one of many",
        "properties": {"tier": f"t{number % 4}"},
        "state": "STARTED" if number % 3 else "STOPPED",
        "cpu": RARE_CPU if number == RARE else 1 + number % 4,
        "memory": 131072,
        "cpuArch": "x86_64",
    }
    path = f"machines/00000000-0000-4000-8000-{number:012}"
    return Resource(path, "Machine", "admin", document, made, made, internal={"host": "local", "disks": []})


def volume(number: int) -> Resource:
    made = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    document = {"name": f"volume {number}", "state": "AVAILABLE", "type": "mapped", "capacity": 1000, "bootable": False}
    identity = f"00000000-0000-4000-8000-{number:012}"
    internal = {
        "host": "local",
        "pool": "default",
        "volume": f"cimi-volume-{identity}.qcow2",
        "format": "qcow2",
        "bytes": 1048576,
    }
    return Resource(f"volumes/{identity}", "Volume", "admin", document, made, made, internal=internal)


def equipped(owner: Resource) -> tuple[Resource, ...]:
    """Return the parts that a Machine usually has: a Disk and a network interface."""
    disk = component(owner, "Disk", "disks/vda", {"capacity": 2_097_152, "initialLocation": "/dev/vda"})
    network = {"href": "networks/00000000-0000-4000-8000-000000000000"}
    attributes = {"network": network, "state": "Active", "macAddress": _mac(owner), "mtu": 1500}
    return disk, component(owner, "MachineNetworkInterface", "networkInterfaces/0", attributes)


def _mac(owner: Resource) -> str:
    digits = f"{int(owner.path.rpartition('-')[2]):06x}"
    return f"52:54:00:{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def nothing_more(_resource: Resource) -> tuple[Resource, ...]:
    return ()


async def fill(
    path: Path,
    count: int,
    make: Callable[[int], Resource] = machine,
    parts: Callable[[Resource], tuple[Resource, ...]] = nothing_more,
) -> None:
    """Write a store with so many resources, an EventLog for each, and the ``parts`` of each.

    The logs are those that a gateway's first start and each creation make.
    """
    store = await Store.open(path)
    await Recorder("monthly", "yearly").prepare(store)
    await store.close()
    # Opened again, since the recorder hooks into each transaction of the store that it prepared, and would count these.
    store = await Store.open(path)
    for start in range(0, count, 5000):
        async with store.transaction() as transaction:
            for number in range(start, min(start + 5000, count)):
                resource = make(number)
                log = new_log(resource, {"persistence": "monthly"})
                await transaction.insert(log)
                await transaction.insert(resource.with_document(eventLog={"href": log.path}))
                for part in parts(resource):
                    await transaction.insert(part)
    await store.close()


def hold(driver: MemoryDriver, resource: Resource) -> None:
    """Put its domain or volume on the hypervisor as it is stored, so that comparing finds nothing to change."""
    if resource.kind == "Machine":
        domain = _domain(resource)
        driver.state.domains[domain.uuid] = domain
    else:
        held = _held(resource)
        driver.state.volumes[held.pool, held.name] = held


def _domain(resource: Resource) -> DomainFacts:
    power = Power.RUNNING if resource.state == "STARTED" else Power.OFF
    uuid = resource.path.rpartition("/")[2]
    cpus, memory = resource.document["cpu"], resource.document["memory"]
    return DomainFacts(uuid, f"cimi-{uuid}", power, "", True, cpus, memory)


def _held(resource: Resource) -> VolumeFacts:
    internal = resource.internal
    path = f"/default/{internal['volume']}"
    return VolumeFacts("default", internal["volume"], path, internal["format"], internal["bytes"], 4096)


@asynccontextmanager
async def gateway(home: Path, count: int) -> AsyncIterator[Gateway]:
    await fill(home / "gateway.db", count)
    driver = MemoryDriver()
    for number in range(count):
        hold(driver, machine(number))
    async with serving(home, driver) as running:
        yield running


@asynccontextmanager
async def serving(home: Path, driver: MemoryDriver, quotas: Mapping[str, int] | None = None) -> AsyncIterator[Gateway]:
    """Serve a gateway over what was filled in."""
    running = Gateway(settings(home, quotas), {"local": driver})
    await running.start()
    spare_what_is_there()
    try:
        yield running
    finally:
        await running.stop()
