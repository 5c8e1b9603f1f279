"""Properties, unknown attributes, common attributes, references."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document, kind_of
from conformance.world import World

STRANGE = "<two> & \"one\" 'ö' ]]> \u4e2d"


@check("properties-are-kept")
def properties_are_kept(world: World) -> None:
    given = {"a key": "a value", "UPPER": "x", "upper": "y", STRANGE: STRANGE, "number": "007"}
    found = things.record(world, properties=given).get("properties")
    expect(found == given, f"they came back as {found}")


@check("properties-are-the-consumers")
def properties_are_the_consumers(world: World) -> None:
    expect("properties" not in things.record(world), "a resource that was made without properties has some")
    found = things.machine(world).get("properties")
    expect(found == {"mark": world.mark}, f"those of a Machine are {found}")


@check("identifiers-mind-their-case")
def identifiers_mind_their_case(world: World) -> None:
    shown = world.read(str(things.record(world)["id"]), ("$select", "NAME,Id"))
    expect(not {"name", "id"} & set(shown), "$select=NAME,Id selected name or id")


def _refused(world: World, entry: str, kind: str, content: Document) -> None:
    url = world.collection(entry)
    before = world.read(url).get("count")
    answer = world.add(url, kind, content)
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")
    after = world.read(url).get("count")
    expect(before == after, "and something was made")


@check("unknown-attribute-in-a-create")
def unknown_attribute_in_a_create(world: World) -> None:
    content = {"name": world.name("x"), "cpu": 1, "memory": things.MEMORY, "nonsense": "1"}
    _refused(world, "machineConfigs", "MachineConfiguration", content)


@check("unknown-attribute-in-a-template")
def unknown_attribute_in_a_template(world: World) -> None:
    template = {"userName": "x", "password": "a-password-for-checks", "nonsense": "1"}
    _refused(world, "credentials", "CredentialCreate", {"name": world.name("x"), "credentialTemplate": template})


@check("unknown-attribute-in-an-update")
def unknown_attribute_in_an_update(world: World) -> None:
    found = things.record(world)
    answer = world.wire.put(world.demanded(found, "edit"), kind_of(found), {**found, "name": "new", "nonsense": "1"})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")
    name = world.read(str(found["id"])).get("name")
    expect(name == found["name"], f"and name is {name}")


@check("wrong-case-is-unknown")
def wrong_case_is_unknown(world: World) -> None:
    content = {"name": world.name("x"), "CPU": 1, "memory": things.MEMORY}
    _refused(world, "machineConfigs", "MachineConfiguration", content)


@check("array-keeps-its-order")
def array_keeps_its_order(world: World) -> None:
    disks = [{"capacity": size, "format": "ext4"} for size in (3000, 1000, 2000)]
    url = world.collection("machineConfigs")
    content = {"name": world.name("disks"), "cpu": 1, "memory": things.MEMORY, "disks": disks}
    made = world.read(world.make(url, "MachineConfiguration", content).url)
    found = [disk.get("capacity") for disk in made.get("disks", [])]
    expect(found == [3000, 1000, 2000], f"disks of 3000, 1000 and 2000 came back as {found}")


@check("common-name-and-description")
def common_name_and_description(world: World) -> None:
    name = f"{world.mark} {STRANGE}"
    found = things.record(world, name=name, description=STRANGE)
    expect(found.get("name") == name, f"the name came back as {found.get('name')}")
    expect(found.get("description") == STRANGE, f"the description came back as {found.get('description')}")


def _edited(world: World, found: Document) -> Document:
    answer = world.wire.put(world.demanded(found, "edit"), kind_of(found), {"name": "new"}, ("$select", "name"))
    expect(answer.good, f"the update was answered {answer.told()}")
    world.finish(answer)
    return world.read(str(found["id"]))


@check("common-created")
def common_created(world: World) -> None:
    found = things.record(world)
    expect(found.get("created"), "there is no created")
    expect(_edited(world, found).get("created") == found["created"], "an update changed it")


@check("common-updated-at-first")
def common_updated_at_first(world: World) -> None:
    found = things.record(world)
    expect(found.get("updated"), "there is no updated")
    expect(found["updated"] == found.get("created"), f"created {found.get('created')}, updated {found['updated']}")


@check("common-updated-by-an-update")
def common_updated_by_an_update(world: World) -> None:
    found = things.record(world)
    after = _edited(world, found)
    expect(str(after.get("updated")) > str(found.get("updated")), f"it stayed {after.get('updated')}")


@check("common-updated-not-by-an-action")
def common_updated_not_by_an_action(world: World) -> None:
    found = things.network(world)
    if not found.get("updated"):
        raise NotOffered("Networks have no updated")
    verb = "stop" if world.operation(found, "stop") else "start"
    after = world.acted(str(found["id"]), verb)
    expect(after["updated"] == found["updated"], f"{verb} changed it from {found['updated']} to {after['updated']}")


@check("state-is-read-only")
def state_is_read_only(world: World) -> None:
    found = things.volume(world) if world.offers("volumes") else things.machine(world)
    edit = world.demanded(found, "edit")
    answer = world.wire.put(edit, kind_of(found), {"state": "ERROR"}, ("$select", "state"))
    expect(answer.good, f"an update of state was answered {answer.told()}")
    world.finish(answer)
    state = world.read(str(found["id"])).get("state")
    expect(state == found.get("state"), f"state is {state}")


def _pair(world: World) -> tuple[Document, Document]:
    """A VolumeTemplate, and the VolumeConfiguration that it refers to."""
    content = {"type": f"{words.NAMESPACE}/mapped", "capacity": things.CAPACITY}
    config = world.made("volumeConfigs", "VolumeConfiguration", content)
    template = world.made("volumeTemplates", "VolumeTemplate", {"volumeConfig": {"href": config["id"]}})
    return template, config


@check("deletion-empties-references")
def deletion_empties_references(world: World) -> None:
    template, config = _pair(world)
    expect((template.get("volumeConfig") or {}).get("href") == config["id"], "the template does not refer to it")
    world.removed(str(config["id"]))
    left = world.read(str(template["id"])).get("volumeConfig")
    expect(left is None, f"volumeConfig is {left}")


@check("deletion-leaves-the-referring")
def deletion_leaves_the_referring(world: World) -> None:
    template, config = _pair(world)
    world.removed(str(config["id"]))
    expect(world.wire.get(str(template["id"])).status == 200, f"{template['id']} is gone")


@check("limits-are-told")
def limits_are_told(world: World) -> None:
    url = world.demanded(world.read(world.collection("machineConfigs"), ("$last", "1")), "add")
    content = {"name": world.name("x"), "cpu": 1, "memory": things.MEMORY, "description": "x" * 3_000_000}
    answer = world.wire.post(url, "MachineConfiguration", content)
    if answer.good:
        world.keep(str(answer.location or (answer.document or {}).get("id")))
        raise NotOffered("a body of 3 MB is within the limits")
    expect(400 <= answer.status < 500, f"a body of 3 MB was answered {answer.told()}")
