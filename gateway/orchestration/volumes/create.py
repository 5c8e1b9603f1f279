"""From a volume template to a checked new Volume: nothing is written, everything is looked at (DSP0263 5.16.3)."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Conflict, Invalid, NotImplementedHere
from gateway.orchestration.monitoring.meter_templates import asked_meters
from gateway.orchestration.monitoring.templates import asked_event_log
from gateway.orchestration.references import merged, resolve
from gateway.orchestration.resources import Room, new_resource
from gateway.orchestration.service import Caller
from gateway.orchestration.volumes.pools import KILOBYTE, Chosen, Wanted, choose, demand_room, whole
from gateway.store.model import Document, Resource

OWN = ("name", "description", "properties")
FORMATS = ("qcow2", "raw")


@dataclass(frozen=True, slots=True)
class NewVolume:
    """A Volume in CREATING, and the pool that has to keep the promise."""

    resource: Resource
    chosen: Chosen
    where: str

    async def demand_room(self, room: Room) -> None:
        """To be asked inside the transaction that writes it."""
        await demand_room(room, self.chosen, self.resource.internal["bytes"], f"{self.where}.volumeConfig.capacity")


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
    image = await _image(room, caller, template, where)
    config = await _config(room, caller, template, image, where)
    size = _size(config, image, where)
    asked = checked_format(config, f"{where}.volumeConfig.format")
    wanted = Wanted(config.get("type", "mapped"), asked, size, f"{where}.volumeConfig")
    chosen = await choose(room, _hosts(room, host, image, where), wanted)
    document: Document = {name: own[name] for name in OWN if name in own}
    shown = config.get("capacity") or -(-size // KILOBYTE)
    bootable = bool(image is not None and image.document.get("bootable"))
    document.update(state="CREATING", type=wanted.type, capacity=shown, bootable=bootable)
    volume = new_resource("Volume", caller.user, document)
    facts = {
        "host": chosen.host,
        "pool": chosen.settings.name,
        "volume": f"cimi-volume-{volume.path.rpartition('/')[2]}.{chosen.format}",
        "format": chosen.format,
        "bytes": whole(size),
        "shareable": chosen.settings.shareable or None,
        **(_content(room, chosen, image) if image is not None else {}),
        **await asked_event_log(room.store, caller, template, f"{where}."),
        **await asked_meters(room, caller, template, "Volume", f"{where}."),
    }
    return NewVolume(volume.with_internal(**facts), chosen, where)


def _hosts(room: Room, host: str | None, image: Resource | None, where: str) -> list[str]:
    """Where it may live: with its Machine, with its image, else anywhere."""
    bound = image.internal["host"] if image is not None else host
    if host is not None and bound != host:
        raise Invalid(f"the image is on the hypervisor {bound}, and the Machine on {host}", f"{where}.volumeImage")
    return [bound] if bound is not None else list(room.hypervisors)


def _content(room: Room, chosen: Chosen, image: Resource) -> Document:
    """Where the bytes come from: an overlay of the image where the pool can, else a full copy."""
    known = image.internal
    same = known["pool"] == chosen.settings.name and chosen.format == "qcow2" and not chosen.settings.shareable
    return {
        "image": image.path,
        "image_pool": known["pool"],
        "image_volume": known["volume"],
        "image_format": known["format"],
        "overlay": same and room.drivers[chosen.host].can_overlay(chosen.facts),
    }


async def _template(room: Room, caller: Caller, given: Document, where: str) -> Document:
    template: Document = {}
    if "href" in given:
        template = (await resolve(room.store, caller, given["href"], ("VolumeTemplate",), where)).document
    return merged(template, given)


async def _image(room: Room, caller: Caller, template: Document, where: str) -> Resource | None:
    given = template.get("volumeImage")
    if given is None:
        return None
    where = f"{where}.volumeImage"
    if "href" not in given or len(given) > 1:
        raise NotImplementedHere(f"{where}: images are taken by reference only")
    image = await resolve(room.store, caller, given["href"], ("VolumeImage",), where)
    if image.state != "AVAILABLE":
        raise Conflict(f"{where}: the image is {image.state}, not AVAILABLE")
    return image


async def _config(
    room: Room, caller: Caller, template: Document, image: Resource | None, where: str
) -> Document:
    given, where = template.get("volumeConfig"), f"{where}.volumeConfig"
    if given is None:
        if image is None:
            raise Invalid("is missing, and there is no image to tell the size", where)
        return {}
    if "href" not in given:
        return merged({}, given)
    found = await resolve(room.store, caller, given["href"], ("VolumeConfiguration",), where)
    return merged(found.document, given)


def _size(config: Document, image: Resource | None, where: str) -> int:
    needed = image.internal["virtual_size"] if image is not None else 0
    if "capacity" not in config:
        if image is None:
            raise Invalid("is missing", f"{where}.volumeConfig.capacity")
        return int(needed)
    size = int(config["capacity"]) * KILOBYTE
    if size < needed:
        raise Invalid(f"the image needs {-(-needed // KILOBYTE)} kilobytes", f"{where}.volumeConfig.capacity")
    return size


def checked_format(config: Document, where: str) -> str | None:
    """The asked storage format. File systems, which the standard means by it, are not made here."""
    given = config.get("format")
    if given is None:
        return None
    if given.strip().lower() not in FORMATS:
        known = ", ".join(FORMATS)
        raise Invalid(f"{given[:40]!r} is none that this gateway stores ({known}); file systems are the guest's", where)
    return str(given.strip().lower())
