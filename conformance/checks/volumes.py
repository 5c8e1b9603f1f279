"""Volumes and their images."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import World, fact

MAPPED = f"{words.NAMESPACE}/mapped"


def _new(world: World, capacity: int = things.CAPACITY, **template: object) -> str:
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world, capacity, **template)}
    return world.make(world.collection("volumes"), "VolumeCreate", content).url


@check("volume-create")
def volume_create(world: World) -> None:
    found = things.volume(world)
    expect(found.get("state") == "AVAILABLE", f"it is {found.get('state')}")
    expect(found.get("name") == f"{world.mark}-volume", f"name is {found.get('name')}")


@check("volume-create-says-creating")
def volume_create_says_creating(world: World) -> None:
    made = things.volume_made(world)
    said = made.document.get("state")
    expected = (None, "CREATING") if made.exchange.status == 202 else (None, "CREATING", "AVAILABLE")
    expect(said in expected, f"at {made.exchange.status} it was {said}")


@check("volume-create-by-reference")
def volume_create_by_reference(world: World) -> None:
    content = {"name": world.name("template"), **things.volume_template(world)}
    template = world.make(world.collection("volumeTemplates"), "VolumeTemplate", content).url
    document = {"name": world.name("volume"), "volumeTemplate": {"href": template}}
    found = world.read(world.make(world.collection("volumes"), "VolumeCreate", document).url)
    expect(int(found.get("capacity", 0)) >= things.CAPACITY, f"capacity is {found.get('capacity')}")


@check("volume-create-without-template")
def volume_create_without_template(world: World) -> None:
    answer = world.add(world.collection("volumes"), "VolumeCreate", {"name": world.name("volume")})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("volume-has-capacity-and-type")
def volume_has_capacity_and_type(world: World) -> None:
    found = things.volume(world)
    capacity = found.get("capacity")
    expect(found.get("type"), "it has no type")
    expect(isinstance(capacity, int), f"capacity is {capacity}")
    if world.has("Volume", "VolumeConfigByValue"):
        near = things.CAPACITY <= int(str(capacity)) <= things.CAPACITY + 8192
        expect(near, f"of {things.CAPACITY} kB it has {capacity}")


@check("volume-collections-can-be-read")
def volume_collections_can_be_read(world: World) -> None:
    found = things.volume(world)
    for name, kind in (("images", "VolumeVolumeImage"), ("meters", "Meter")):
        if name in found:
            said = world.read(str(found[name]["href"])).get("resourceURI")
            expect(said == words.type_uri(f"{kind}Collection"), f"{name} is a {said}")


@check("volume-grow")
def volume_grow(world: World) -> None:
    url = _new(world)
    answer = world.wire.put(
        world.demanded(world.read(url), "edit"), "Volume", {"capacity": 20_000}, ("$select", "capacity")
    )
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    capacity = world.read(url).get("capacity")
    expect(isinstance(capacity, int) and capacity >= 20_000, f"of 20000 kB it has {capacity}")


@check("volume-delete")
def volume_delete(world: World) -> None:
    url = _new(world)
    world.removed(url)
    expect(world.gone(url), "it can still be read")
    expect(url not in [item.get("id") for item in world.everything(world.collection("volumes"))], "it is still listed")


@check("volume-template-life")
def volume_template_life(world: World) -> None:
    life(world, "volumeTemplates", "VolumeTemplate", things.volume_template(world), "description", "new")


@check("volume-configuration-life")
def volume_configuration_life(world: World) -> None:
    life(world, "volumeConfigs", "VolumeConfiguration", {"type": MAPPED, "capacity": 1000}, "capacity", 2000)


# Images


@fact
def image(world: World) -> Document:
    world.demand_capability("Volume", "VolumeSnapshot")
    content = {"name": world.name("image"), "imageLocation": things.volume(world)["id"]}
    url = world.make(world.collection("volumeImages"), "VolumeImage", content).url
    return world.state(url, "AVAILABLE")


def _images(world: World, volume: Document) -> list[str]:
    found = volume.get("images")
    if not isinstance(found, dict):
        raise NotOffered("Volumes have no images")
    return [str((entry.get("volumeImage") or {}).get("href")) for entry in world.listed(str(found["href"]))]


@check("volume-image-of-a-volume")
def volume_image_of_a_volume(world: World) -> None:
    expect(image(world).get("state") == "AVAILABLE", f"it is {image(world).get('state')}")


@check("volume-image-location-is-static")
def volume_image_location_is_static(world: World) -> None:
    said = image(world).get("imageLocation")
    expect(said != things.volume_made(world).url, f"it is {said}")


@check("volume-image-is-listed")
def volume_image_is_listed(world: World) -> None:
    mine = image(world)["id"]
    expect(mine in _images(world, things.volume(world)), "it is not listed")


@check("volume-image-by-the-operation")
def volume_image_by_the_operation(world: World) -> None:
    volume = things.volume(world)
    href = world.demanded(volume, "snapshot")
    content = {"name": world.name("image"), "imageLocation": volume["id"]}
    answer = world.wire.post(href, "VolumeImage", content)
    expect(answer.status in (201, 202), f"it was answered {answer.told()}")
    world.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    world.keep(where)
    expect(things.kind_of(world.read(where)) == "VolumeImage", "it made something else")


@check("volume-image-can-be-used")
def volume_image_can_be_used(world: World) -> None:
    found = world.read(_new(world, 2 * things.CAPACITY, volumeImage={"href": image(world)["id"]}))
    expect(found.get("state") == "AVAILABLE", f"it is {found.get('state')}")


@fact
def orphan(world: World) -> tuple[str, str]:
    """A Volume and an image of it, neither of which anything else needs."""
    world.demand_capability("Volume", "VolumeSnapshot")
    volume = _new(world)
    made = world.make(
        world.collection("volumeImages"), "VolumeImage", {"name": world.name("image"), "imageLocation": volume}
    )
    return volume, str(world.state(made.url, "AVAILABLE")["id"])


@check("volume-image-outlives")
def volume_image_outlives(world: World) -> None:
    volume, made = orphan(world)
    world.removed(volume)
    expect(world.wire.get(made).status == 200, "it went with the Volume")


@check("volume-image-deleted-leaves-the-list")
def volume_image_deleted_leaves_the_list(world: World) -> None:
    content = {"name": world.name("image"), "imageLocation": things.volume(world)["id"]}
    world.demand_capability("Volume", "VolumeSnapshot")
    made = world.state(world.make(world.collection("volumeImages"), "VolumeImage", content).url, "AVAILABLE")
    expect(made["id"] in _images(world, things.volume(world)), "it was never listed")
    world.removed(str(made["id"]))
    expect(made["id"] not in _images(world, things.volume(world)), "it is still listed")
