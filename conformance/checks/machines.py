"""Machines: how they are made, edited and deleted; their templates and configurations."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks.machine_states import walk
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document, Exchange
from conformance.world import World, fact

# Representation


@check("machine-has-its-state")
def machine_has_its_state(world: World) -> None:
    expect(things.machine(world).get("state"), "it has none")


@check("machine-has-cpu-and-memory")
def machine_has_cpu_and_memory(world: World) -> None:
    found = things.machine(world)
    expect(isinstance(found.get("cpu"), int), f"cpu is {found.get('cpu')}")
    expect(isinstance(found.get("memory"), int), f"memory is {found.get('memory')}")
    if world.has("Machine", "MachineConfigByValue") and not world.options.template:
        said = found["cpu"], found["memory"]
        expect(said == (things.CPU, things.MEMORY), f"of {things.CPU} and {things.MEMORY} it has {said}")


@check("machine-collections-can-be-read")
def machine_collections_can_be_read(world: World) -> None:
    kinds = {
        "disks": "Disk", "volumes": "MachineVolume", "networkInterfaces": "MachineNetworkInterface",
        "snapshots": "MachineSnapshot", "meters": "Meter",
    }  # fmt: skip
    found = things.machine(world)
    for name, kind in kinds.items():
        if name in found:
            document = world.read(str(found[name]["href"]))
            wanted = words.type_uri(f"{kind}Collection")
            expect(document.get("resourceURI") == wanted, f"{name} is a {document.get('resourceURI')}")


# Create


@check("machine-create-by-value")
def machine_create_by_value(world: World) -> None:
    world.demand_capability("Machine", "MachineTemplateByValue")
    if world.options.template:
        raise NotOffered("Machines are made from the template that --template names")
    expect(things.created(world).exchange.status in (201, 202), "it was not made")


@fact
def stored(world: World) -> Document:
    """A MachineTemplate."""
    url = world.collection("machineTemplates")
    content = {"name": f"{world.mark}-template", "description": "of the template", **things.template(world)}
    return world.read(world.make(url, "MachineTemplate", {**content, **things.off(world)}).url)


@fact
def from_stored(world: World) -> Document:
    """A Machine made from it, with one cpu more than it says."""
    config = {"cpu": 2, "memory": things.MEMORY}
    world.demand_capability("Machine", "MachineConfigByValue")
    content = {
        "name": world.name("machine"),
        "machineTemplate": {"href": stored(world)["id"], "machineConfig": config},
    }
    return world.read(world.make(world.collection("machines"), "MachineCreate", content).url)


@check("machine-create-by-reference")
def machine_create_by_reference(world: World) -> None:
    expect(from_stored(world).get("state"), "it has no state")
    expect(from_stored(world).get("description") is None, "it has the template's description")


@check("machine-create-overrides")
def machine_create_overrides(world: World) -> None:
    expect(from_stored(world).get("cpu") == 2, f"cpu is {from_stored(world).get('cpu')}")
    config = world.read(str(stored(world)["id"])).get("machineConfig") or {}
    expect(config.get("cpu", 1) == 1, "the template was changed")


@check("machine-create-says-creating")
def machine_create_says_creating(world: World) -> None:
    made = things.created(world)
    said = made.document.get("state")
    final = () if made.exchange.status == 202 else ("STOPPED", "STARTED")
    expect(said in (None, "CREATING", *final), f"at {made.exchange.status} it was {said}")


@check("machine-create-job")
def machine_create_job(world: World) -> None:
    made = things.created(world)
    if made.job is None:
        raise NotOffered("there are no Jobs here")
    target = (made.job.get("targetResource") or {}).get("href")
    affected = [ref.get("href") for ref in made.job.get("affectedResources", [])]
    expect(target == world.collection("machines"), f"targetResource is {target}")
    expect(made.url in affected, f"affectedResources are {affected}")


@check("machine-created-is-listed")
def machine_created_is_listed(world: World) -> None:
    url = things.created(world).url
    listed = [item for item in world.everything(world.collection("machines")) if item.get("id") == url]
    expect(listed, f"{url} is not listed")
    expect(listed[0].get("state"), "it is listed without its state")


@fact
def running(world: World) -> Document:
    """A Machine that was asked for with initialState STARTED."""
    return world.read(things.new_machine(world, initialState="STARTED").url)


@check("machine-initial-state")
def machine_initial_state(world: World) -> None:
    states = things.initial_states(world)
    if not {"STARTED", "STOPPED"} & set(states):
        raise NotOffered(f"InitialStates are {', '.join(states) or 'not told'}")
    if "STARTED" in states:
        expect(running(world).get("state") == "STARTED", f"asked for STARTED, it is {running(world).get('state')}")
    if "STOPPED" in states:
        first = from_stored(world).get("state")
        expect(first == "STOPPED", f"asked for STOPPED, it is {first}")


@check("machine-default-initial-state")
def machine_default_initial_state(world: World) -> None:
    wanted = str(world.capability("Machine", "DefaultInitialState") or "STOPPED")
    content = {"name": world.name("machine"), "machineTemplate": things.template(world)}
    made = world.make(world.collection("machines"), "MachineCreate", content)
    state = world.read(made.url).get("state")
    world.removed(made.url)
    expect(state == wanted, f"it is {state}, not {wanted}")


@check("machine-initial-state-that-cannot-be")
def machine_initial_state_that_cannot_be(world: World) -> None:
    content = {"name": world.name("machine"), "machineTemplate": things.template(world, initialState="DELETING")}
    answer = world.add(world.collection("machines"), "MachineCreate", content)
    if answer.good:
        job = world.ended(answer)
        expect((job or {}).get("state") == "FAILED", f"a Machine that begins DELETING was answered {answer.told()}")
    else:
        expect(answer.status < 500, f"it was answered {answer.told()}")


@check("machine-create-without-template")
def machine_create_without_template(world: World) -> None:
    answer = world.add(world.collection("machines"), "MachineCreate", {"name": world.name("machine")})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("machine-bad-credentials-fail")
def machine_bad_credentials_fail(world: World) -> None:
    wrong = {"href": f"{world.collection('credentials')}/no-such-thing"}
    content = {"name": world.name("machine"), "machineTemplate": things.template(world, credential=wrong)}
    answer = world.add(world.collection("machines"), "MachineCreate", content)
    failed = not answer.good or (world.ended(answer) or {}).get("state") == "FAILED"
    expect(failed, f"a credential that there is not was answered {answer.told()}")


# Edit and delete


def _put(world: World, content: Document, select: str) -> Exchange:
    found = things.machine(world)
    answer = world.wire.put(world.demanded(found, "edit"), "Machine", content, ("$select", select))
    if answer.good:
        world.finish(answer)
    return answer


@check("machine-edit-name")
def machine_edit_name(world: World) -> None:
    before = things.machine(world)
    content = {"name": f"{world.mark}-renamed", "description": "new", "properties": {"mark": "new"}}
    answer = _put(world, content, "name,description,properties")
    expect(answer.good, f"it was answered {answer.told()}")
    after = things.machine(world)
    _put(world, {name: before[name] for name in content if name in before}, "name,description,properties")
    for name, value in content.items():
        expect(after.get(name) == value, f"{name} is {after.get(name)}")


@check("machine-edit-size")
def machine_edit_size(world: World) -> None:
    walk(world)
    if things.machine(world).get("state") != "STOPPED":
        raise NotOffered("there is no STOPPED Machine")
    answer = _put(world, {"cpu": 2, "memory": 2 * things.MEMORY}, "cpu,memory")
    expect(answer.good, f"it was answered {answer.told()}")
    after = things.machine(world)
    _put(world, {"cpu": things.CPU, "memory": things.MEMORY}, "cpu,memory")
    expect(
        (after.get("cpu"), after.get("memory")) == (2, 2 * things.MEMORY),
        f"cpu {after.get('cpu')}, memory {after.get('memory')}",
    )


@check("machine-edit-ignores-read-only")
def machine_edit_ignores_read_only(world: World) -> None:
    before = things.machine(world)
    content = {"state": "PAUSED", "disks": {"href": world.collection("machines")}}
    answer = _put(world, content, "state,disks")
    expect(answer.good, f"it was answered {answer.told()}")
    after = things.machine(world)
    expect(after.get("state") == before.get("state"), f"state is {after.get('state')}")
    expect(after.get("disks") == before.get("disks"), f"disks is {after.get('disks')}")


@check("machine-delete")
def machine_delete(world: World) -> None:
    found = running(world) if "STARTED" in things.initial_states(world) else world.read(things.new_machine(world).url)
    disks = found.get("disks")
    world.removed(str(found["id"]))
    expect(world.gone(str(found["id"])), f"{found['id']} can still be read")
    if isinstance(disks, dict):
        expect(world.gone(str(disks["href"])), f"{disks['href']} can still be read")


@check("machine-delete-says-deleting")
def machine_delete_says_deleting(world: World) -> None:
    made = things.new_machine(world)
    answer = world.wire.delete(world.demanded(world.read(made.url), "delete"))
    expect(answer.good, f"it was answered {answer.told()}")
    found = world.wire.get(made.url)
    world.finish(answer)
    state = (found.document or {}).get("state")
    expect(found.status in (404, 410) or state == "DELETING", f"it was {state}")


@fact
def from_volume_templates(world: World) -> tuple[str, list[str]]:
    """A Machine that was made with a Volume, and the Volumes that it has."""
    world.demand_capability("Machine", "MachineVolumeTemplatesByValue")
    volumes = [{"name": world.name("volume"), **things.volume_template(world)}]
    made = things.new_machine(world, volumeTemplates=volumes)
    listed = world.listed(str(world.read(made.url)["volumes"]["href"]))
    used = [str(item["volume"]["href"]) for item in listed]
    for url in used:
        world.keep(url)
    return made.url, used


@check("machine-delete-keeps-volumes")
def machine_delete_keeps_volumes(world: World) -> None:
    machine, used = from_volume_templates(world)
    expect(used, "the Machine has no volumes")
    world.removed(machine)
    for url in used:
        expect(world.wire.get(url).status == 200, f"{url} went with the Machine")


# Templates and configurations


@check("machine-template-life")
def machine_template_life(world: World) -> None:
    found = stored(world)
    answer = world.wire.put(
        world.demanded(found, "edit"), "MachineTemplate", {"description": "new"}, ("$select", "description")
    )
    expect(answer.good, f"edit was answered {answer.told()}")
    world.finish(answer)
    expect(world.read(str(found["id"])).get("description") == "new", "the edit did nothing")
    url = world.collection("machineTemplates")
    other = world.make(url, "MachineTemplate", {"name": world.name("template"), **things.template(world)})
    world.removed(other.url)
    expect(world.gone(other.url), "it can still be read after its delete")


@check("machine-template-deleted-leaves-machines")
def machine_template_deleted_leaves_machines(world: World) -> None:
    machine = from_stored(world)["id"]
    world.removed(str(stored(world)["id"]))
    expect(world.wire.get(str(machine)).status == 200, f"{machine} went with its template")


@check("machine-user-data")
def machine_user_data(world: World) -> None:
    if world.capability("Machine", "UserData") is None:
        raise NotOffered("the capability Machine/UserData is not told")
    made = things.new_machine(world, userData="QmFzZS02NCBlbmNvZGVkIGRhdGE=")
    shown = world.read(made.url)
    world.removed(made.url)
    expect("userData" not in shown, "the Machine shows it")


@check("machine-user-data-not-base64")
def machine_user_data_not_base64(world: World) -> None:
    content = {"name": world.name("machine"), "machineTemplate": things.template(world, userData="no base64 at all!")}
    answer = world.add(world.collection("machines"), "MachineCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("machine-configuration-life")
def machine_configuration_life(world: World) -> None:
    url = world.collection("machineConfigs")
    sizes = {"cpu": 3, "memory": 2 * things.MEMORY}
    made = world.make(url, "MachineConfiguration", {"name": world.name("config"), **sizes})
    found = world.read(made.url)
    expect(
        {name: found.get(name) for name in sizes} == sizes,
        f"cpu {found.get('cpu')}, memory {found.get('memory')}",
    )
    answer = world.wire.put(world.demanded(found, "edit"), "MachineConfiguration", {"cpu": 4}, ("$select", "cpu"))
    expect(answer.good, f"edit was answered {answer.told()}")
    world.finish(answer)
    expect(world.read(made.url).get("cpu") == 4, "the edit did nothing")
    world.removed(made.url)
    expect(world.gone(made.url), "it can still be read after its delete")
