"""From a volume template to a checked new Volume: nothing is written, everything is looked at (DSP0263 5.16.3)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import merged, resolve
from gateway.orchestration.common.resource_service import Room, new_resource
from gateway.orchestration.monitoring.meter_templates import asked_meters
from gateway.orchestration.monitoring.templates import asked_event_log
from gateway.orchestration.volumes.content import Content, content_of, demand_staged, needed, too_small
from gateway.orchestration.volumes.file_systems import file_system_facts, storage_format
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, Wanted, choose, demand_room, whole
from gateway.store.model import Document, Resource
from gateway.store.transaction import Transaction

OWN = ("name", "description", "properties")


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A Volume in CREATING, and the pool that has to keep the promise."""

    resource: Resource
    chosen: Chosen
    where: str
    content: Content | None

    async def demand(self, room: Room, transaction: Transaction) -> None:
        """To be asked inside the transaction that writes it. Raises NoSpace or Conflict."""
        await demand_room(room, self.chosen, self.resource.internal["bytes"], f"{self.where}.volumeConfig.capacity")
        await demand_staged(room, self.resource)
        if self.content is not None:
            await self.content.demand(room, transaction)


async def new_volume(
    room: Room,
    caller: Caller,
    given: Document,
    own: Document,
    *,
    where: str = "volumeTemplate",
    host: str | None = None,
) -> NewVolume:
    """``given`` is the template by reference, by value or both; ``own`` what the Volume itself is called."""
    template = await _template(room, caller, given, where)
    content = await content_of(room, caller, template.get("volumeImage"), f"{where}.volumeImage")
    config = await _config(room, caller, template, content, where)
    size = _size(config, content, where)
    wanted = Wanted(config.get("type", "mapped"), storage_format(config), size, f"{where}.volumeConfig")
    chosen = await choose(room, _hosts(room, host, content), wanted)
    document: Document = {name: own[name] for name in OWN if name in own}
    shown = config.get("capacity") or -(-size // KILOBYTE)
    bootable = content is not None and content.bootable
    document.update(state="CREATING", type=wanted.type, capacity=shown, bootable=bootable)
    volume = new_resource("Volume", caller.user, document)
    facts = {
        **(await content.facts(room, chosen, size) if content is not None else {}),
        "host": chosen.host,
        "pool": chosen.settings.name,
        "volume": f"cimi-volume-{volume.path.rpartition('/')[2]}.{chosen.format}",
        "format": chosen.format,
        "bytes": whole(size),
        "shareable": chosen.settings.shareable or None,
        **file_system_facts(room, config, filled=content is not None),
        **await asked_event_log(room.store, caller, template, f"{where}."),
        **await asked_meters(room, caller, template, "Volume", f"{where}."),
    }
    return NewVolume(volume.with_internal(**facts), chosen, where, content)


def _hosts(room: Room, host: str | None, content: Content | None) -> list[str]:
    """Where it may live: with its Machine, with its image, else anywhere."""
    bound = content.host if content is not None else None
    if host is not None and bound not in (None, host):
        assert content is not None
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
    found = await resolve(room.store, caller, given["href"], ("VolumeConfiguration",), where)
    return merged(found.document, given)


def _size(config: Document, content: Content | None, where: str) -> int:
    where, least = f"{where}.volumeConfig.capacity", needed(content)
    if "capacity" not in config:
        if not least:
            why = "; the size of this image is not known before it is here" if content is not None else ""
            raise Invalid(f"is missing{why}", where)
        return least
    size = int(config["capacity"]) * KILOBYTE
    # A copy of an image is made as large as the Volume is; bytes that come in by value have their size.
    by_reference = content is not None and content.image is not None
    if (whole(size) if by_reference else size) < least:
        raise Invalid(too_small(least), where)
    return size
