"""The true state of a Volume, by what its pool shows of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from drivers.base import Driver, DriverError, DriverNotFound, VolumeFacts
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.pools import KILOBYTE
from gateway.store.model import Resource

SETTLED = ("AVAILABLE", "ERROR")


@dataclass(frozen=True, slots=True)
class Seen:
    """The look at a Volume's storage: without ``facts`` there is none, or its host does not tell, for a ``reason``."""

    facts: VolumeFacts | None
    reason: str = ""


async def in_pool(volume: Resource, driver: Driver) -> Seen:
    """Look at what the pool shows of the Volume."""
    kept = KeptVolume.of(volume)
    try:
        return Seen(await driver.storage.read_volume(kept.pool, kept.volume))
    except DriverNotFound:
        return Seen(None)
    except DriverError as error:
        return Seen(None, str(error))


def as_seen(volume: Resource, seen: Seen) -> Resource:
    """Return the Volume as its pool shows it.

    Where its host does not tell, the Volume stays what it was, and one that was in the middle of something is in ERROR:
    the comparison will tell.
    """
    if not seen.reason:
        return as_in_pool(volume, seen.facts)
    return volume if volume.state in SETTLED else in_error(volume, f"its host does not tell of it: {seen.reason}")


def as_in_pool(volume: Resource, facts: VolumeFacts | None) -> Resource:
    """Return the Volume as its pool shows it; a missing one is in ERROR, and says why."""
    kept = KeptVolume.of(volume)
    if facts is None:
        return in_error(volume, f"there is no storage volume {kept.volume} in the pool {kept.pool}")
    seen = volume.with_document(state="AVAILABLE", statusMessage=None)
    now = replace(kept, path=facts.path)
    # Another format is what a guest wrote into its raw disk, and so is the size in its header.
    if facts.capacity != kept.bytes and facts.format == kept.format:
        seen = seen.with_document(capacity=facts.capacity // KILOBYTE)
        now = replace(now, bytes=facts.capacity)
    # Facts of an earlier version may be the same and written otherwise: those are no change.
    return seen if now == kept else now.on(seen)


def in_error(volume: Resource, message: str) -> Resource:
    """Return the Volume in ERROR, with the reason."""
    return volume.with_document(state="ERROR", statusMessage=message)
