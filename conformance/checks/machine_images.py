"""Images: capture, two snapshots of a Machine that is off, restore, and what deleting does to the chain."""

from __future__ import annotations

from conformance import fixtures
from conformance.checks.machine_states import walk
from conformance.outcomes import expect
from conformance.provider import Creation, Provider, fixture
from conformance.registry import check
from conformance.wire import Document


def _image_made(provider: Provider, made: Creation) -> Document:
    document = (
        provider.wait_for_state(made.url, "AVAILABLE")
        if "state" in provider.read(made.url)
        else provider.read(made.url)
    )
    provider.note_created(made.url)
    return document


@check("machine-image-has-state-and-type")
def machine_image_has_state_and_type(provider: Provider) -> None:
    image = provider.read(fixtures.image(provider))
    expect(image.get("state"), "it has no state")
    expect(image.get("type") in ("IMAGE", "SNAPSHOT", "PARTIAL_SNAPSHOT"), f"type is {image.get('type')}")


@check("machine-image-without-location")
def machine_image_without_location(provider: Provider) -> None:
    answer = provider.add(provider.collection("machineImages"), "MachineImage", {"name": provider.new_name("image")})
    if answer.good:
        state = provider.read(str(answer.location)).get("state")
        expect(state == "CREATING", f"it was made, and is {state}")
    else:
        expect(answer.status < 500, f"it was answered {answer.summary}")


@check("machine-image-of-no-relation")
def machine_image_of_no_relation(provider: Provider) -> None:
    # At least this one is listed then.
    fixtures.image(provider)
    for item in provider.all_items(provider.collection("machineImages")):
        if item.get("type") == "IMAGE":
            expect("relatedImage" not in item, f"{item.get('id')} has {item.get('relatedImage')}")


# Capture


@fixture
def captured(provider: Provider) -> tuple[Document, str, str]:
    """Capture the Machine; return the image, and the Machine's state before and after."""
    walk(provider)
    machine = fixtures.machine(provider)
    provider.demand_operation(machine, "capture")
    content = {"name": provider.new_name("image"), "type": "IMAGE", "imageLocation": machine["id"]}
    image = _image_made(provider, provider.create(provider.collection("machineImages"), "MachineImage", content))
    return image, str(machine["state"]), str(fixtures.machine(provider)["state"])


@check("capture-makes-an-image")
def capture_makes_an_image(provider: Provider) -> None:
    image = captured(provider)[0]
    expect(image.get("type") == "IMAGE", f"type is {image.get('type')}")
    expect("relatedImage" not in image, "it has a relatedImage")


@check("capture-by-the-operation")
def capture_by_the_operation(provider: Provider) -> None:
    walk(provider)
    machine = fixtures.machine(provider)
    href = provider.demand_operation(machine, "capture")
    content = {"name": provider.new_name("image"), "type": "IMAGE", "imageLocation": machine["id"]}
    answer = provider.wire.post(href, "MachineImage", content)
    expect(answer.status in (201, 202), f"it was answered {answer.summary}")
    provider.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    provider.note_created(where)
    image = provider.read(where)
    expect(image.get("resourceURI", "").endswith("/MachineImage"), f"it made a {image.get('resourceURI')}")


@check("capture-location-is-static")
def capture_location_is_static(provider: Provider) -> None:
    said = captured(provider)[0].get("imageLocation")
    expect(said != fixtures.machine_made(provider).url, f"it is {said}")


@check("capture-leaves-the-machine")
def capture_leaves_the_machine(provider: Provider) -> None:
    _image, before, after = captured(provider)
    expect(before == after, f"it was {before} and is {after}")


@check("capture-can-be-used")
def capture_can_be_used(provider: Provider) -> None:
    image = captured(provider)[0]["id"]
    ids = [item.get("id") for item in provider.all_items(provider.collection("machineImages"))]
    expect(image in ids, "it is not listed")
    made = fixtures.new_machine(provider, machineImage={"href": image})
    expect(provider.read(made.url).get("state") != "ERROR", "the Machine that was made from it is in ERROR")
    provider.delete(made.url)


@check("machine-image-edit")
def machine_image_edit(provider: Provider) -> None:
    image = captured(provider)[0]
    edit = provider.demand_operation(image, "edit")
    answer = provider.wire.put(edit, "MachineImage", {"description": "new"}, ("$select", "description"))
    expect(answer.good, f"it was answered {answer.summary}")
    provider.finish(answer)
    expect(provider.read(str(image["id"])).get("description") == "new", "the edit did nothing")


# Snapshots


@fixture
def subject(provider: Provider) -> str:
    """Create a Machine whose snapshots no other check takes or deletes."""
    url = fixtures.new_machine(provider).url
    provider.demand_operation(provider.read(url), "snapshot")
    return url


def _snapshot(provider: Provider, **more: object) -> tuple[Document, Document]:
    """Take a snapshot, and return it with the Machine as it is right after it."""
    url = subject(provider)
    href = provider.demand_operation(provider.read(url), "snapshot")
    content = {"name": provider.new_name("snapshot"), "type": "SNAPSHOT", "imageLocation": url, **more}
    answer = provider.wire.post(href, "MachineImage", content)
    expect(answer.status in (201, 202), f"snapshot was answered {answer.summary}")
    provider.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    provider.note_created(where)
    return provider.wait_for_state(where, "AVAILABLE"), provider.read(url)


@fixture
def first(provider: Provider) -> tuple[Document, Document]:
    """Take the first snapshot of the Machine."""
    return _snapshot(provider)


@fixture
def second(provider: Provider) -> tuple[Document, Document]:
    """Take the second snapshot of the Machine."""
    first(provider)
    return _snapshot(provider)


@fixture
def restored(provider: Provider) -> tuple[str, Document]:
    """Restore the first of two snapshots; return the Machine's state meanwhile, and the Machine afterwards."""
    second(provider)
    machine = provider.read(subject(provider))
    answer = provider.request_action(machine, "restore", image={"href": first(provider)[0]["id"]})
    expect(answer.good, f"restore was answered {answer.summary}")
    during = str(provider.read(subject(provider)).get("state"))
    provider.finish(answer)
    return during, provider.read(subject(provider))


@fixture
def first_deleted(provider: Provider) -> tuple[Document, list[str]]:
    """Delete the first snapshot; return the second, and the URIs that the Machine's snapshots refer to."""
    restored(provider)
    provider.delete(str(first(provider)[0]["id"]))
    left = provider.items_at(str(provider.read(subject(provider))["snapshots"]["href"]))
    return provider.read(str(second(provider)[0]["id"])), [
        str((entry.get("snapshot") or {}).get("href")) for entry in left
    ]


@check("snapshot-makes-an-image")
def snapshot_makes_an_image(provider: Provider) -> None:
    image = first(provider)[0]
    expect(image.get("type") == "SNAPSHOT", f"type is {image.get('type')}")


@check("snapshot-location-is-static")
def snapshot_location_is_static(provider: Provider) -> None:
    said = first(provider)[0].get("imageLocation")
    expect(said != subject(provider), f"it is {said}")


@check("snapshot-is-the-latest")
def snapshot_is_the_latest(provider: Provider) -> None:
    for image, machine in (first(provider), second(provider)):
        said = (machine.get("latestSnapshot") or {}).get("href")
        expect(said == image["id"], f"it is {said} after {image['id']} was taken")


@check("snapshot-is-listed")
def snapshot_is_listed(provider: Provider) -> None:
    image, machine = first(provider)
    entries = provider.items_at(str(machine["snapshots"]["href"]))
    snapshots = [(entry.get("snapshot") or {}).get("href") for entry in entries]
    expect(image["id"] in snapshots, f"they refer to {snapshots}")


@check("snapshot-first-has-no-relation")
def snapshot_first_has_no_relation(provider: Provider) -> None:
    expect("relatedImage" not in first(provider)[0], f"it has {first(provider)[0].get('relatedImage')}")


@check("snapshot-refers-to-the-former")
def snapshot_refers_to_the_former(provider: Provider) -> None:
    said = (second(provider)[0].get("relatedImage") or {}).get("href")
    expect(said == first(provider)[0]["id"], f"it is {said}")


@check("snapshot-relation-is-not-the-consumers")
def snapshot_relation_is_not_the_consumers(provider: Provider) -> None:
    url = subject(provider)
    href = provider.demand_operation(provider.read(url), "snapshot")
    other = fixtures.image(provider)
    content = {
        "name": provider.new_name("snapshot"),
        "type": "SNAPSHOT",
        "imageLocation": url,
        "relatedImage": {"href": other},
    }
    answer = provider.wire.post(href, "MachineImage", content)
    if not answer.good:
        return
    provider.finish(answer)
    where = str(answer.location or (answer.document or {}).get("id"))
    provider.note_created(where)
    said = (provider.read(where).get("relatedImage") or {}).get("href")
    provider.delete(where)
    expect(said != other, "it was taken")


@check("restore-brings-back")
def restore_brings_back(provider: Provider) -> None:
    wanted = first(provider)[1].get("state")
    state = restored(provider)[1].get("state")
    expect(state == wanted, f"it is {state}, not {wanted}")


@check("restore-says-restoring")
def restore_says_restoring(provider: Provider) -> None:
    during, after = restored(provider)
    expect(during in ("RESTORING", after.get("state")), f"it was {during}")


@check("restore-is-the-latest")
def restore_is_the_latest(provider: Provider) -> None:
    said = (restored(provider)[1].get("latestSnapshot") or {}).get("href")
    expect(said == first(provider)[0]["id"], f"it is {said}")


@check("restore-needs-an-image")
def restore_needs_an_image(provider: Provider) -> None:
    first(provider)
    answer = provider.request_action(provider.read(subject(provider)), "restore")
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("snapshot-deleted-relinks")
def snapshot_deleted_relinks(provider: Provider) -> None:
    said = (first_deleted(provider)[0].get("relatedImage") or {}).get("href")
    wanted = (first(provider)[0].get("relatedImage") or {}).get("href")
    expect(said == wanted, f"relatedImage is {said}, where {wanted} belongs")


@check("snapshot-deleted-leaves-the-list")
def snapshot_deleted_leaves_the_list(provider: Provider) -> None:
    expect(first(provider)[0]["id"] not in first_deleted(provider)[1], "it is still there")


@check("snapshots-outlive-the-machine")
def snapshots_outlive_the_machine(provider: Provider) -> None:
    image = second(provider)[0]["id"]
    first_deleted(provider)
    provider.delete(subject(provider))
    expect(provider.wire.get(str(image)).status == 200, "they went with it")
