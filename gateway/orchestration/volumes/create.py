"""The way from a volume template to a checked new Volume: all is looked at, nothing written (DSP0263 5.16.3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.common.resource_service import new_resource
from gateway.orchestration.common.room import Room
from gateway.orchestration.images.promises import demand_staging
from gateway.orchestration.monitoring.templates import requested_monitoring
from gateway.orchestration.volumes.content import Content, content_of, staged_bytes, too_small
from gateway.orchestration.volumes.facts import KeptVolume
from gateway.orchestration.volumes.file_systems import storage_format, with_file_system
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, Wanted, choose, demand_room, whole
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

OWN = ("name", "description", "properties")


@dataclass(slots=True)
class Together:
    """The bytes that the new Volumes of one transaction need: of each pool of a host, and in the staging directory."""

    pools: dict[tuple[str, str], int] = field(default_factory=dict)
    staged: int = 0


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A Volume in CREATING, and the pool that has to keep the promise."""

    resource: Resource
    chosen: Chosen
    where: str
    """The way to its template in the request."""
    content: Content | None

    async def demand(self, room: Room, transaction: Transaction, together: Together | None = None) -> None:
        """Raise NoSpace or Conflict for what cannot be promised any more, in the transaction that writes the Volume.

        ``together`` is what the same transaction has promised to other Volumes, which nobody else sees yet.
        """
        together, kept = together or Together(), KeptVolume.of(self.resource)
        pool = self.chosen.host, self.chosen.settings.name
        beside = together.pools.get(pool, 0)
        await demand_room(room, self.chosen, kept.bytes, f"{self.where}.volumeConfig.capacity", beside)
        together.pools[pool] = beside + kept.bytes
        staged = staged_bytes(kept)
        if staged is not None:
            together.staged += staged
            await demand_staging(room, together.staged)
        if self.content is not None:
            await self.content.demand(transaction)


@dataclass(frozen=True, slots=True)
class VolumeRequest:
    """Request for a Volume: its template by reference, by value or both, and what the Volume itself is called."""

    template: Document
    own: Document
    where: str = "volumeTemplate"
    """The way to the template in the request."""
    host: str | None = None
    """The hypervisor that the Volume has to be on; None where any will do."""


async def new_volume(room: Room, caller: Caller, request: VolumeRequest) -> NewVolume:
    """Return the checked new Volume. Raise what the request deserves."""
    where, own = request.where, request.own
    template = await _template(room, caller, request.template, where)
    content = await content_of(room, caller, template.get("volumeImage"), f"{where}.volumeImage")
    config = await _config(room, caller, template, content, where)
    size = _size(config, content, where)
    wanted = Wanted(config.get("type", "mapped"), storage_format(config), size, f"{where}.volumeConfig")
    chosen = await choose(room, _hosts(room, request.host, content), wanted)
    kept = await _kept(room, config, content, chosen, size)
    monitoring = await requested_monitoring(room, caller, template, "Volume", f"{where}.")
    document: Document = {name: own[name] for name in OWN if name in own}
    capacity = config.get("capacity") or -(-size // KILOBYTE)
    bootable = content is not None and content.bootable
    document.update(state="CREATING", type=wanted.type, capacity=capacity, bootable=bootable)
    volume = monitoring.on(new_resource("Volume", caller.project, document))
    kept = replace(kept, volume=f"cimi-volume-{volume.path.rpartition('/')[2]}.{chosen.format}")
    return NewVolume(kept.on(volume), chosen, where, content)


async def _kept(room: Room, config: Document, content: Content | None, chosen: Chosen, size: int) -> KeptVolume:
    """Return the facts of a Volume of this size in bytes, all but its name in the pool."""
    kept = KeptVolume(
        host=chosen.host,
        pool=chosen.settings.name,
        format=chosen.format,
        bytes=whole(size),
        shareable=chosen.settings.shareable,
    )
    if content is not None:
        kept = await content.put_into(room, chosen, kept, size)
    return with_file_system(room, config, kept, filled=content is not None)


def _hosts(room: Room, host: str | None, content: Content | None) -> list[str]:
    """Return where the Volume may live: with its Machine, with its image, else anywhere."""
    bound = content.host if content is not None else None
    if content is not None and host is not None and bound not in (None, host):
        raise Invalid(f"the image is on the hypervisor {bound}, and the Machine on {host}", content.where)
    only = bound or host
    return [only] if only is not None else list(room.hypervisors)


async def _template(room: Room, caller: Caller, given: Document, where: str) -> Document:
    template: Document = {}
    if "href" in given:
        template = (await resolve(room.store, caller, given["href"], ("VolumeTemplate",), where)).document
    return merged(template, given)


async def _config(room: Room, caller: Caller, template: Document, content: Content | None, where: str) -> Document:
    given, where = template.get("volumeConfig"), f"{where}.volumeConfig"
    if given is None:
        if content is None:
            raise Invalid("is missing, and there is no image to tell the size", where)
        return {}
    if "href" not in given:
        return merged({}, given)
    named = await resolve(room.store, caller, given["href"], ("VolumeConfiguration",), where)
    return merged(named.document, given)


def _size(config: Document, content: Content | None, where: str) -> int:
    """Return the bytes that the Volume is to have: what was asked for, else what the image needs."""
    where = f"{where}.volumeConfig.capacity"
    if "capacity" in config:
        size = int(config["capacity"]) * KILOBYTE
        if content is not None and not content.fits(size):
            raise Invalid(too_small(content.virtual_size), where)
        return size
    if content is None:
        raise Invalid("is missing", where)
    if not content.virtual_size:
        raise Invalid("is missing; the size of this image is not known before it is here", where)
    return content.virtual_size
