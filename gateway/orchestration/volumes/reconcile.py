"""The comparison of Volumes with their pools: what is resized, deleted or made beside the gateway.

Storage that an admin makes with virsh is shown to admins, and never deleted by us.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

import structlog

from drivers.base import Driver, DriverError, DriverNotFound, PoolFacts, PoolSettings, VolumeFacts
from gateway.orchestration.common.apart import Apart
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.orchestration.volumes.truth import as_in_pool, in_error
from gateway.store.model import Resource
from gateway.store.transaction import Transaction

FOREIGN_OWNER = ":host"
"""No user can have this name, so only admins see what belongs to it."""
OURS = "cimi-"
"""Beginning of the names of volumes that gateways make."""
FORMATS = frozenset({"raw", "qcow2"})
log = structlog.get_logger("volumes")


@dataclass(frozen=True, slots=True)
class PoolContents:
    """The volumes that a pool shows by their names; None where it cannot be read, and why."""

    volumes: dict[str, VolumeFacts] | None
    reason: str = ""


@dataclass
class VolumeReconciler:
    """The reconciler of Volumes with the volumes in their pools."""

    room: Room
    _ensured: set[tuple[str, str]] = field(default_factory=set)
    _one: dict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """Locks by host: two comparisons at once would both find the same foreign volume new."""
    _apart: Apart = field(init=False)

    def __post_init__(self) -> None:
        self._apart = Apart(self.room.supervision, "volumes")

    def reconnected(self, host: str) -> None:
        """Note that the hypervisor was away: pools may have to be started again."""
        self._ensured = {(name, pool) for name, pool in self._ensured if name != host}

    async def compare(self, driver: Driver) -> None:
        """Compare all Volumes of a host with all volumes in its pools; one comparison after the other."""
        async with self._one[driver.name]:
            await self._compare(driver)

    async def _compare(self, driver: Driver) -> None:
        settings = self.room.hypervisors[driver.name].every_pool
        by_pool = await self._by_pool(driver.name)
        for pool in settings:
            volumes = by_pool.pop(pool.name, [])
            with self._apart.each(f"{driver.name} pool {pool.name}", driver):
                contents = await self._look(driver, pool)
                await self._compare_pool(driver.name, pool.name, contents, volumes)
        for name, volumes in by_pool.items():
            reason = f"the pool {name} is not in the configuration any more"
            await self._compare_pool(driver.name, name, PoolContents(None, reason), volumes)

    async def _by_pool(self, host: str) -> dict[str, list[Resource]]:
        """Return the Volumes of a host by the names of their pools."""
        volumes: dict[str, list[Resource]] = {}
        async for volume in self.room.store.every("Volume"):
            kept = KeptVolume.of(volume)
            if kept.host == host:
                volumes.setdefault(kept.pool, []).append(volume)
        return volumes

    async def _look(self, driver: Driver, settings: PoolSettings) -> PoolContents:
        try:
            await self._ensure(driver, settings)
            facts: PoolFacts = await driver.storage.read_pool(settings.name)
            if not facts.active:
                return PoolContents(None, f"the pool {settings.name} is inactive")
            return PoolContents({volume.name: volume for volume in await driver.storage.list_volumes(settings.name)})
        except DriverNotFound:
            return PoolContents(None, f"the hypervisor has no pool {settings.name}")
        except DriverError as error:
            log.warning("pool not compared", pool=settings.name, reason=str(error))
            return PoolContents(None)

    async def _ensure(self, driver: Driver, settings: PoolSettings) -> None:
        """Make or start a pool once for each connection: one that its admin stops later stays stopped."""
        key = (driver.name, settings.name)
        if settings.kind and key not in self._ensured:
            await driver.storage.ensure_pool(settings)
            self._ensured.add(key)

    async def _compare_pool(self, host: str, pool: str, contents: PoolContents, volumes: list[Resource]) -> None:
        if contents.volumes is None:
            if contents.reason:
                await self._change([(v, in_error(v, contents.reason)) for v in volumes if settled(v)])
            return
        names = {KeptVolume.of(v).volume for v in volumes}
        sizes = {name: facts.allocation for name, facts in contents.volumes.items() if name in names}
        self.room.ledger.renew((host, pool), sizes)
        compared = [(v, as_in_pool(v, contents.volumes.get(KeptVolume.of(v).volume))) for v in volumes if settled(v)]
        await self._change([(before, now) for before, now in compared if not vanished(now)])
        await self._forget([now for _, now in compared if vanished(now)])
        await self._show([f for f in contents.volumes.values() if f.name not in names and becomes_foreign(f)], host)

    async def _change(self, compared: list[tuple[Resource, Resource]]) -> None:
        for before, now in compared:
            if before == now:
                continue
            with self._apart.each(now.path):
                await self._changed(now)

    async def _changed(self, volume: Resource) -> None:
        async with self.room.store.transaction() as transaction:
            if await self._unchanged(transaction, volume):
                await transaction.update(volume)
        reason = volume.document.get("statusMessage", "")
        log.info("volume changed outside", volume=volume.path, state=volume.state, reason=reason)

    async def _unchanged(self, transaction: Transaction, volume: Resource) -> bool:
        """Return whether nobody else has written the Volume since it was compared."""
        current = await transaction.get(volume.path)
        return current is not None and current.version == volume.version

    async def _forget(self, gone: list[Resource]) -> None:
        """Remove the records of foreign volumes that their admin has removed, and that no Machine has."""
        for volume in gone:
            with self._apart.each(volume.path):
                async with self.room.store.transaction() as transaction:
                    if await self._unchanged(transaction, volume):
                        await transaction.delete(volume.path)
                log.info("foreign volume is gone", volume=volume.path)

    async def _show(self, foreign: list[VolumeFacts], host: str) -> None:
        if not foreign:
            return
        async with self.room.store.transaction() as transaction:
            for facts in foreign:
                await transaction.insert(_foreign(facts, host))
        log.info("foreign volumes found", pool=foreign[0].pool, count=len(foreign))


def settled(volume: Resource) -> bool:
    """Return whether no job is at work on the Volume."""
    return volume.held_by is None and volume.state in ("AVAILABLE", "ERROR")


def vanished(volume: Resource) -> bool:
    """Return whether a foreign volume is gone that no Machine has."""
    kept = KeptVolume.of(volume)
    return kept.foreign and volume.state == "ERROR" and not kept.attachments


def becomes_foreign(facts: VolumeFacts) -> bool:
    """Return whether a volume that is no Volume yet becomes a foreign one: not what gateways make for themselves."""
    return facts.format in FORMATS and not facts.name.startswith(OURS)


def _foreign(facts: VolumeFacts, host: str) -> Resource:
    document = {
        "name": facts.name,
        "state": "AVAILABLE",
        "type": "mapped",
        "capacity": max(1, facts.capacity // KILOBYTE),
        "bootable": False,
    }
    kept = KeptVolume(
        host=host,
        pool=facts.pool,
        volume=facts.name,
        format=facts.format,
        bytes=facts.capacity,
        path=facts.path,
        foreign=True,
    )
    return kept.on(new_resource("Volume", FOREIGN_OWNER, document))
