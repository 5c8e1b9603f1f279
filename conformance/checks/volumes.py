"""Volumes and their images."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document

MAPPED = f"{words.NAMESPACE}/mapped"


def _new(provider: Provider, capacity: int = fixtures.CAPACITY, **template: object) -> str:
    content = {
        "name": provider.new_name("volume"),
        "volumeTemplate": fixtures.volume_template(provider, capacity, **template),
    }
    return provider.create(provider.collection("volumes"), "VolumeCreate", content).url


@check("volume-create")
def volume_create(provider: Provider) -> None:
    volume = fixtures.volume(provider)
    expect(volume.get("state") == "AVAILABLE", f"it is {volume.get('state')}")
    expect(volume.get("name") == f"{provider.mark}-volume", f"name is {volume.get('name')}")


@check("volume-create-says-creating")
def volume_create_says_creating(provider: Provider) -> None:
    made = fixtures.volume_made(provider)
    said = made.document.get("state")
    expected = (None, "CREATING") if made.exchange.status == 202 else (None, "CREATING", "AVAILABLE")
    expect(said in expected, f"at {made.exchange.status} it was {said}")


@check("volume-create-by-reference")
def volume_create_by_reference(provider: Provider) -> None:
    content = {"name": provider.new_name("template"), **fixtures.volume_template(provider)}
    template = provider.create(provider.collection("volumeTemplates"), "VolumeTemplate", content).url
    document = {"name": provider.new_name("volume"), "volumeTemplate": {"href": template}}
    volume = provider.read(provider.create(provider.collection("volumes"), "VolumeCreate", document).url)
    expect(int(volume.get("capacity", 0)) >= fixtures.CAPACITY, f"capacity is {volume.get('capacity')}")


@check("volume-create-without-template")
def volume_create_without_template(provider: Provider) -> None:
    answer = provider.add(provider.collection("volumes"), "VolumeCreate", {"name": provider.new_name("volume")})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("volume-has-capacity-and-type")
def volume_has_capacity_and_type(provider: Provider) -> None:
    volume = fixtures.volume(provider)
    capacity = volume.get("capacity")
    expect(volume.get("type"), "it has no type")
    expect(isinstance(capacity, int), f"capacity is {capacity}")
    if provider.has_capability("Volume", "VolumeConfigByValue"):
        near = fixtures.CAPACITY <= int(str(capacity)) <= fixtures.CAPACITY + 8192
        expect(near, f"of {fixtures.CAPACITY} kB it has {capacity}")


@check("volume-collections-can-be-read")
def volume_collections_can_be_read(provider: Provider) -> None:
    volume = fixtures.volume(provider)
    for name, kind in (("images", "VolumeVolumeImage"), ("meters", "Meter")):
        if name in volume:
            said = provider.read(str(volume[name]["href"])).get("resourceURI")
            expect(said == words.type_uri(f"{kind}Collection"), f"{name} is a {said}")


@check("volume-grow")
def volume_grow(provider: Provider) -> None:
    url = _new(provider)
    provider.edit(provider.read(url), "Volume", {"capacity": 20_000}, "capacity")
    capacity = provider.read(url).get("capacity")
    expect(isinstance(capacity, int) and capacity >= 20_000, f"of 20000 kB it has {capacity}")


@check("volume-delete")
def volume_delete(provider: Provider) -> None:
    url = _new(provider)
    provider.delete(url)
    expect(provider.is_gone(url), "it can still be read")
    expect(
        url not in [item.get("id") for item in provider.all_items(provider.collection("volumes"))], "it is still listed"
    )


@check("volume-template-life")
def volume_template_life(provider: Provider) -> None:
    life(provider, "volumeTemplates", "VolumeTemplate", fixtures.volume_template(provider), {"description": "new"})


@check("volume-configuration-life")
def volume_configuration_life(provider: Provider) -> None:
    life(provider, "volumeConfigs", "VolumeConfiguration", {"type": MAPPED, "capacity": 1000}, {"capacity": 2000})


# Images


@fixture
def image(provider: Provider) -> Document:
    """Create an image of the Volume."""
    provider.demand_capability("Volume", "VolumeSnapshot")
    content = {"name": provider.new_name("image"), "imageLocation": fixtures.volume(provider)["id"]}
    url = provider.create(provider.collection("volumeImages"), "VolumeImage", content).url
    return provider.wait_for_state(url, "AVAILABLE")


def _images(provider: Provider, volume: Document) -> list[str]:
    reference = volume.get("images")
    if not isinstance(reference, dict):
        raise NotOffered("Volumes have no images")
    return [str((entry.get("volumeImage") or {}).get("href")) for entry in provider.items_at(str(reference["href"]))]


@check("volume-image-of-a-volume")
def volume_image_of_a_volume(provider: Provider) -> None:
    expect(image(provider).get("state") == "AVAILABLE", f"it is {image(provider).get('state')}")


@check("volume-image-location-is-static")
def volume_image_location_is_static(provider: Provider) -> None:
    said = image(provider).get("imageLocation")
    expect(said != fixtures.volume_made(provider).url, f"it is {said}")


@check("volume-image-is-listed")
def volume_image_is_listed(provider: Provider) -> None:
    mine = image(provider)["id"]
    expect(mine in _images(provider, fixtures.volume(provider)), "it is not listed")


@check("volume-image-by-the-operation")
def volume_image_by_the_operation(provider: Provider) -> None:
    volume = fixtures.volume(provider)
    href = provider.demand_operation(volume, "snapshot")
    content = {"name": provider.new_name("image"), "imageLocation": volume["id"]}
    answer = provider.wire.post(href, "VolumeImage", content)
    expect(answer.status in (201, 202), f"it was answered {answer.summary}")
    provider.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    provider.note_created(where)
    expect(fixtures.kind_of(provider.read(where)) == "VolumeImage", "it made something else")


@check("volume-image-can-be-used")
def volume_image_can_be_used(provider: Provider) -> None:
    volume = provider.read(_new(provider, 2 * fixtures.CAPACITY, volumeImage={"href": image(provider)["id"]}))
    expect(volume.get("state") == "AVAILABLE", f"it is {volume.get('state')}")


@fixture
def orphan(provider: Provider) -> tuple[str, str]:
    """Create a Volume and an image of it, which no other check uses."""
    provider.demand_capability("Volume", "VolumeSnapshot")
    volume = _new(provider)
    made = provider.create(
        provider.collection("volumeImages"),
        "VolumeImage",
        {"name": provider.new_name("image"), "imageLocation": volume},
    )
    return volume, str(provider.wait_for_state(made.url, "AVAILABLE")["id"])


@check("volume-image-outlives")
def volume_image_outlives(provider: Provider) -> None:
    volume, made = orphan(provider)
    provider.delete(volume)
    expect(provider.wire.get(made).status == 200, "it went with the Volume")


@check("volume-image-deleted-leaves-the-list")
def volume_image_deleted_leaves_the_list(provider: Provider) -> None:
    content = {"name": provider.new_name("image"), "imageLocation": fixtures.volume(provider)["id"]}
    provider.demand_capability("Volume", "VolumeSnapshot")
    made = provider.wait_for_state(
        provider.create(provider.collection("volumeImages"), "VolumeImage", content).url, "AVAILABLE"
    )
    expect(made["id"] in _images(provider, fixtures.volume(provider)), "it was never listed")
    provider.delete(str(made["id"]))
    expect(made["id"] not in _images(provider, fixtures.volume(provider)), "it is still listed")
