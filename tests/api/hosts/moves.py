"""What an admin does with ``virsh migrate``, on hosts in memory."""

from __future__ import annotations

from dataclasses import replace

from drivers.base import DriverEvent, EventKind, Migration, Power
from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.event_logs import until
from tests.urls import uuid_of


def copy_disks(machine: str, source: MemoryDriver, target: MemoryDriver) -> None:
    """All volumes of the source: the source's stay where they are, as with libvirt."""
    target.state.volumes.update(source.state.volumes)


def arrive(machine: str, source: MemoryDriver, target: MemoryDriver, /, **changed: object) -> None:
    """The domain shows on the target; silently, as while nobody listens."""
    uuid = uuid_of(machine)
    copy_disks(machine, source, target)
    target.state.domains[uuid] = replace(source.state.domains[uuid], **changed)  # type: ignore[arg-type]


def leave(machine: str, source: MemoryDriver, *, definition: bool = False, silent: bool = False) -> None:
    """The domain ends on the source; ``definition``: it stays there, shut off."""
    uuid = uuid_of(machine)
    if definition:
        source.state.domains[uuid] = replace(source.state.domains[uuid], power=Power.OFF, migration=Migration.LEFT)
    else:
        del source.state.domains[uuid]
    if silent:
        return
    if definition:
        source.state.tell(uuid)
    else:
        source.state.emit(DriverEvent(source.name, EventKind.DOMAIN_UNDEFINED, uuid))


def migrate(machine: str, source: MemoryDriver, target: MemoryDriver, *, silent: bool = False) -> None:
    arrive(machine, source, target)
    if not silent:
        target.state.tell(uuid_of(machine))
    leave(machine, source, silent=silent)


async def host_of(gateway: Gateway, machine: str) -> str:
    resource = await gateway.store.get(f"machines/{uuid_of(machine)}")
    assert resource is not None
    return str(resource.internal["host"])


async def is_on(gateway: Gateway, machine: str, host: str) -> None:
    async def there() -> bool:
        return await host_of(gateway, machine) == host

    await until(there, f"{machine} is on {host}")


async def compared(gateway: Gateway, *drivers: MemoryDriver) -> None:
    for driver in drivers:
        await gateway.reconciliation.compare(driver)
