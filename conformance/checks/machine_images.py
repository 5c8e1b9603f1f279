"""Images: capture, two snapshots of a Machine that is off, restore, and what deleting does to the chain."""

from __future__ import annotations

from conformance import things
from conformance.checks.machine_states import walk
from conformance.outcomes import expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import Made, World, fact


def _image_made(world: World, made: Made) -> Document:
    document = world.state(made.url, "AVAILABLE") if "state" in world.read(made.url) else world.read(made.url)
    world.keep(made.url)
    return document


@check("machine-image-has-state-and-type")
def machine_image_has_state_and_type(world: World) -> None:
    found = world.read(things.image(world))
    expect(found.get("state"), "it has no state")
    expect(found.get("type") in ("IMAGE", "SNAPSHOT", "PARTIAL_SNAPSHOT"), f"type is {found.get('type')}")


@check("machine-image-without-location")
def machine_image_without_location(world: World) -> None:
    answer = world.add(world.collection("machineImages"), "MachineImage", {"name": world.name("image")})
    if answer.good:
        state = world.read(str(answer.location)).get("state")
        expect(state == "CREATING", f"it was made, and is {state}")
    else:
        expect(answer.status < 500, f"it was answered {answer.told()}")


@check("machine-image-of-no-relation")
def machine_image_of_no_relation(world: World) -> None:
    for item in world.everything(world.collection("machineImages")):
        if item.get("type") == "IMAGE":
            expect("relatedImage" not in item, f"{item.get('id')} has {item.get('relatedImage')}")


# Capture


@fact
def captured(world: World) -> tuple[Document, str, str]:
    """The image, the Machine's state before and after."""
    walk(world)
    machine = things.machine(world)
    world.demanded(machine, "capture")
    content = {"name": world.name("image"), "type": "IMAGE", "imageLocation": machine["id"]}
    image = _image_made(world, world.make(world.collection("machineImages"), "MachineImage", content))
    return image, str(machine["state"]), str(things.machine(world)["state"])


@check("capture-makes-an-image")
def capture_makes_an_image(world: World) -> None:
    image = captured(world)[0]
    expect(image.get("type") == "IMAGE", f"type is {image.get('type')}")
    expect("relatedImage" not in image, "it has a relatedImage")


@check("capture-by-the-operation")
def capture_by_the_operation(world: World) -> None:
    walk(world)
    machine = things.machine(world)
    href = world.demanded(machine, "capture")
    content = {"name": world.name("image"), "type": "IMAGE", "imageLocation": machine["id"]}
    answer = world.wire.post(href, "MachineImage", content)
    expect(answer.status in (201, 202), f"it was answered {answer.told()}")
    world.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    world.keep(where)
    image = world.read(where)
    expect(image.get("resourceURI", "").endswith("/MachineImage"), f"it made a {image.get('resourceURI')}")


@check("capture-location-is-static")
def capture_location_is_static(world: World) -> None:
    said = captured(world)[0].get("imageLocation")
    expect(said != things.created(world).url, f"it is {said}")


@check("capture-leaves-the-machine")
def capture_leaves_the_machine(world: World) -> None:
    _image, before, after = captured(world)
    expect(before == after, f"it was {before} and is {after}")


@check("capture-can-be-used")
def capture_can_be_used(world: World) -> None:
    image = captured(world)[0]["id"]
    ids = [item.get("id") for item in world.everything(world.collection("machineImages"))]
    expect(image in ids, "it is not listed")
    made = things.new_machine(world, machineImage={"href": image})
    expect(world.read(made.url).get("state") != "ERROR", "the Machine that was made from it is in ERROR")
    world.removed(made.url)


@check("machine-image-edit")
def machine_image_edit(world: World) -> None:
    image = captured(world)[0]
    edit = world.demanded(image, "edit")
    answer = world.wire.put(edit, "MachineImage", {"description": "new"}, ("$select", "description"))
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    expect(world.read(str(image["id"])).get("description") == "new", "the edit did nothing")


# Snapshots


@fact
def subject(world: World) -> str:
    """A Machine whose snapshots are nobody else's."""
    url = things.new_machine(world).url
    world.demanded(world.read(url), "snapshot")
    return url


def _snapshot(world: World, **more: object) -> tuple[Document, Document]:
    """A snapshot, and the Machine right after it."""
    url = subject(world)
    href = world.demanded(world.read(url), "snapshot")
    content = {"name": world.name("snapshot"), "type": "SNAPSHOT", "imageLocation": url, **more}
    answer = world.wire.post(href, "MachineImage", content)
    expect(answer.status in (201, 202), f"snapshot was answered {answer.told()}")
    world.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    world.keep(where)
    return world.state(where, "AVAILABLE"), world.read(url)


@fact
def first(world: World) -> tuple[Document, Document]:
    return _snapshot(world)


@fact
def second(world: World) -> tuple[Document, Document]:
    first(world)
    return _snapshot(world)


@fact
def restored(world: World) -> tuple[str, Document]:
    """The Machine's state while it went back to the first of two snapshots, and it afterwards."""
    second(world)
    machine = world.read(subject(world))
    answer = world.act(machine, "restore", image={"href": first(world)[0]["id"]})
    expect(answer.good, f"restore was answered {answer.told()}")
    during = str(world.read(subject(world)).get("state"))
    world.finish(answer)
    return during, world.read(subject(world))


@fact
def cut(world: World) -> tuple[Document, list[str]]:
    """The second snapshot after the first was deleted, and what the Machine's snapshots refer to."""
    restored(world)
    world.removed(str(first(world)[0]["id"]))
    left = world.listed(str(world.read(subject(world))["snapshots"]["href"]))
    return world.read(str(second(world)[0]["id"])), [str((entry.get("snapshot") or {}).get("href")) for entry in left]


@check("snapshot-makes-an-image")
def snapshot_makes_an_image(world: World) -> None:
    image = first(world)[0]
    expect(image.get("type") == "SNAPSHOT", f"type is {image.get('type')}")


@check("snapshot-location-is-static")
def snapshot_location_is_static(world: World) -> None:
    said = first(world)[0].get("imageLocation")
    expect(said != subject(world), f"it is {said}")


@check("snapshot-is-the-latest")
def snapshot_is_the_latest(world: World) -> None:
    for image, machine in (first(world), second(world)):
        said = (machine.get("latestSnapshot") or {}).get("href")
        expect(said == image["id"], f"it is {said} after {image['id']} was taken")


@check("snapshot-is-listed")
def snapshot_is_listed(world: World) -> None:
    image, machine = first(world)
    entries = world.listed(str(machine["snapshots"]["href"]))
    found = [(entry.get("snapshot") or {}).get("href") for entry in entries]
    expect(image["id"] in found, f"they refer to {found}")


@check("snapshot-first-has-no-relation")
def snapshot_first_has_no_relation(world: World) -> None:
    expect("relatedImage" not in first(world)[0], f"it has {first(world)[0].get('relatedImage')}")


@check("snapshot-refers-to-the-former")
def snapshot_refers_to_the_former(world: World) -> None:
    said = (second(world)[0].get("relatedImage") or {}).get("href")
    expect(said == first(world)[0]["id"], f"it is {said}")


@check("snapshot-relation-is-not-the-consumers")
def snapshot_relation_is_not_the_consumers(world: World) -> None:
    url = subject(world)
    href = world.demanded(world.read(url), "snapshot")
    other = things.image(world)
    content = {
        "name": world.name("snapshot"),
        "type": "SNAPSHOT",
        "imageLocation": url,
        "relatedImage": {"href": other},
    }
    answer = world.wire.post(href, "MachineImage", content)
    if not answer.good:
        return
    world.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    world.keep(where)
    said = (world.read(where).get("relatedImage") or {}).get("href")
    world.removed(where)
    expect(said != other, "it was taken")


@check("restore-brings-back")
def restore_brings_back(world: World) -> None:
    wanted = first(world)[1].get("state")
    state = restored(world)[1].get("state")
    expect(state == wanted, f"it is {state}, not {wanted}")


@check("restore-says-restoring")
def restore_says_restoring(world: World) -> None:
    during, after = restored(world)
    expect(during in ("RESTORING", after.get("state")), f"it was {during}")


@check("restore-is-the-latest")
def restore_is_the_latest(world: World) -> None:
    said = (restored(world)[1].get("latestSnapshot") or {}).get("href")
    expect(said == first(world)[0]["id"], f"it is {said}")


@check("restore-needs-an-image")
def restore_needs_an_image(world: World) -> None:
    first(world)
    answer = world.act(world.read(subject(world)), "restore")
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("snapshot-deleted-relinks")
def snapshot_deleted_relinks(world: World) -> None:
    said = (cut(world)[0].get("relatedImage") or {}).get("href")
    wanted = (first(world)[0].get("relatedImage") or {}).get("href")
    expect(said == wanted, f"relatedImage is {said}, where {wanted} belongs")


@check("snapshot-deleted-leaves-the-list")
def snapshot_deleted_leaves_the_list(world: World) -> None:
    expect(first(world)[0]["id"] not in cut(world)[1], "it is still there")


@check("snapshots-outlive-the-machine")
def snapshots_outlive_the_machine(world: World) -> None:
    image = second(world)[0]["id"]
    cut(world)
    world.removed(subject(world))
    expect(world.wire.get(str(image)).status == 200, "they went with it")
