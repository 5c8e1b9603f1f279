"""Machines: how they are made, edited and deleted; their templates and configurations."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.machine_states import walk
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document, Exchange

# Representation


@check("machine-has-its-state")
def machine_has_its_state(provider: Provider) -> None:
    expect(fixtures.machine(provider).get("state"), "it has none")


@check("machine-has-cpu-and-memory")
def machine_has_cpu_and_memory(provider: Provider) -> None:
    machine = fixtures.machine(provider)
    expect(isinstance(machine.get("cpu"), int), f"cpu is {machine.get('cpu')}")
    expect(isinstance(machine.get("memory"), int), f"memory is {machine.get('memory')}")
    if provider.has_capability("Machine", "MachineConfigByValue") and not provider.options.template:
        said = machine["cpu"], machine["memory"]
        expect(said == (fixtures.CPU, fixtures.MEMORY), f"of {fixtures.CPU} and {fixtures.MEMORY} it has {said}")


@check("machine-collections-can-be-read")
def machine_collections_can_be_read(provider: Provider) -> None:
    kinds = {
        "disks": "Disk", "volumes": "MachineVolume", "networkInterfaces": "MachineNetworkInterface",
        "snapshots": "MachineSnapshot", "meters": "Meter",
    }  # fmt: skip
    machine = fixtures.machine(provider)
    for name, kind in kinds.items():
        if name in machine:
            document = provider.read(str(machine[name]["href"]))
            wanted = words.type_uri(f"{kind}Collection")
            expect(document.get("resourceURI") == wanted, f"{name} is a {document.get('resourceURI')}")


# Create


@check("machine-create-by-value")
def machine_create_by_value(provider: Provider) -> None:
    provider.demand_capability("Machine", "MachineTemplateByValue")
    if provider.options.template:
        raise NotOffered("Machines are made from the template that --template names")
    expect(fixtures.machine_made(provider).exchange.status in (201, 202), "it was not made")


@fixture
def stored(provider: Provider) -> Document:
    """Create a MachineTemplate."""
    url = provider.collection("machineTemplates")
    content = {"name": f"{provider.mark}-template", "description": "of the template", **fixtures.template(provider)}
    return provider.read(
        provider.create(url, "MachineTemplate", {**content, **fixtures.initially_stopped(provider)}).url
    )


@fixture
def from_stored(provider: Provider) -> Document:
    """Create a Machine from the stored template, with one cpu more than that says."""
    config = {"cpu": 2, "memory": fixtures.MEMORY}
    provider.demand_capability("Machine", "MachineConfigByValue")
    content = {
        "name": provider.new_name("machine"),
        "machineTemplate": {"href": stored(provider)["id"], "machineConfig": config},
    }
    return provider.read(provider.create(provider.collection("machines"), "MachineCreate", content).url)


@check("machine-create-by-reference")
def machine_create_by_reference(provider: Provider) -> None:
    expect(from_stored(provider).get("state"), "it has no state")
    expect(from_stored(provider).get("description") is None, "it has the template's description")


@check("machine-create-overrides")
def machine_create_overrides(provider: Provider) -> None:
    expect(from_stored(provider).get("cpu") == 2, f"cpu is {from_stored(provider).get('cpu')}")
    config = provider.read(str(stored(provider)["id"])).get("machineConfig") or {}
    expect(config.get("cpu", 1) == 1, "the template was changed")


@check("machine-create-says-creating")
def machine_create_says_creating(provider: Provider) -> None:
    made = fixtures.machine_made(provider)
    said = made.document.get("state")
    final = () if made.exchange.status == 202 else ("STOPPED", "STARTED")
    expect(said in (None, "CREATING", *final), f"at {made.exchange.status} it was {said}")


@check("machine-create-job")
def machine_create_job(provider: Provider) -> None:
    made = fixtures.machine_made(provider)
    if made.job is None:
        raise NotOffered("there are no Jobs here")
    target = (made.job.get("targetResource") or {}).get("href")
    affected = [ref.get("href") for ref in made.job.get("affectedResources", [])]
    expect(target == provider.collection("machines"), f"targetResource is {target}")
    expect(made.url in affected, f"affectedResources are {affected}")


@check("machine-created-is-listed")
def machine_created_is_listed(provider: Provider) -> None:
    url = fixtures.machine_made(provider).url
    listed = [item for item in provider.all_items(provider.collection("machines")) if item.get("id") == url]
    expect(listed, f"{url} is not listed")
    expect(listed[0].get("state"), "it is listed without its state")


@fixture
def running(provider: Provider) -> Document:
    """Create a Machine with the initialState STARTED."""
    return provider.read(fixtures.new_machine(provider, initialState="STARTED").url)


@check("machine-initial-state")
def machine_initial_state(provider: Provider) -> None:
    states = fixtures.initial_states(provider)
    if not {"STARTED", "STOPPED"} & set(states):
        raise NotOffered(f"InitialStates are {', '.join(states) or 'not told'}")
    if "STARTED" in states:
        expect(
            running(provider).get("state") == "STARTED", f"asked for STARTED, it is {running(provider).get('state')}"
        )
    if "STOPPED" in states:
        first = from_stored(provider).get("state")
        expect(first == "STOPPED", f"asked for STOPPED, it is {first}")


@check("machine-default-initial-state")
def machine_default_initial_state(provider: Provider) -> None:
    wanted = str(provider.capability("Machine", "DefaultInitialState") or "STOPPED")
    content = {"name": provider.new_name("machine"), "machineTemplate": fixtures.template(provider)}
    made = provider.create(provider.collection("machines"), "MachineCreate", content)
    state = provider.read(made.url).get("state")
    provider.delete(made.url)
    expect(state == wanted, f"it is {state}, not {wanted}")


@check("machine-initial-state-that-cannot-be")
def machine_initial_state_that_cannot_be(provider: Provider) -> None:
    content = {
        "name": provider.new_name("machine"),
        "machineTemplate": fixtures.template(provider, initialState="DELETING"),
    }
    answer = provider.add(provider.collection("machines"), "MachineCreate", content)
    if answer.good:
        job = provider.ended_job(answer)
        expect((job or {}).get("state") == "FAILED", f"a Machine that begins DELETING was answered {answer.summary}")
    else:
        expect(answer.status < 500, f"it was answered {answer.summary}")


@check("machine-create-without-template")
def machine_create_without_template(provider: Provider) -> None:
    answer = provider.add(provider.collection("machines"), "MachineCreate", {"name": provider.new_name("machine")})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("machine-bad-credentials-fail")
def machine_bad_credentials_fail(provider: Provider) -> None:
    wrong = {"href": f"{provider.collection('credentials')}/no-such-thing"}
    content = {"name": provider.new_name("machine"), "machineTemplate": fixtures.template(provider, credential=wrong)}
    answer = provider.add(provider.collection("machines"), "MachineCreate", content)
    failed = not answer.good or (provider.ended_job(answer) or {}).get("state") == "FAILED"
    expect(failed, f"a credential that there is not was answered {answer.summary}")


# Edit and delete


def _put(provider: Provider, content: Document, select: str) -> Exchange:
    machine = fixtures.machine(provider)
    answer = provider.wire.put(provider.demand_operation(machine, "edit"), "Machine", content, ("$select", select))
    if answer.good:
        provider.finish(answer)
    return answer


@check("machine-edit-name")
def machine_edit_name(provider: Provider) -> None:
    before = fixtures.machine(provider)
    content = {"name": f"{provider.mark}-renamed", "description": "new", "properties": {"mark": "new"}}
    answer = _put(provider, content, "name,description,properties")
    expect(answer.good, f"it was answered {answer.summary}")
    after = fixtures.machine(provider)
    _put(provider, {name: before[name] for name in content if name in before}, "name,description,properties")
    for name, value in content.items():
        expect(after.get(name) == value, f"{name} is {after.get(name)}")


@check("machine-edit-size")
def machine_edit_size(provider: Provider) -> None:
    walk(provider)
    if fixtures.machine(provider).get("state") != "STOPPED":
        raise NotOffered("there is no STOPPED Machine")
    answer = _put(provider, {"cpu": 2, "memory": 2 * fixtures.MEMORY}, "cpu,memory")
    expect(answer.good, f"it was answered {answer.summary}")
    after = fixtures.machine(provider)
    _put(provider, {"cpu": fixtures.CPU, "memory": fixtures.MEMORY}, "cpu,memory")
    expect(
        (after.get("cpu"), after.get("memory")) == (2, 2 * fixtures.MEMORY),
        f"cpu {after.get('cpu')}, memory {after.get('memory')}",
    )


@check("machine-edit-ignores-read-only")
def machine_edit_ignores_read_only(provider: Provider) -> None:
    before = fixtures.machine(provider)
    content = {"state": "PAUSED", "disks": {"href": provider.collection("machines")}}
    answer = _put(provider, content, "state,disks")
    expect(answer.good, f"it was answered {answer.summary}")
    after = fixtures.machine(provider)
    expect(after.get("state") == before.get("state"), f"state is {after.get('state')}")
    expect(after.get("disks") == before.get("disks"), f"disks is {after.get('disks')}")


@check("machine-delete")
def machine_delete(provider: Provider) -> None:
    machine = (
        running(provider)
        if "STARTED" in fixtures.initial_states(provider)
        else provider.read(fixtures.new_machine(provider).url)
    )
    disks = machine.get("disks")
    provider.delete(str(machine["id"]))
    expect(provider.is_gone(str(machine["id"])), f"{machine['id']} can still be read")
    if isinstance(disks, dict):
        expect(provider.is_gone(str(disks["href"])), f"{disks['href']} can still be read")


@check("machine-delete-says-deleting")
def machine_delete_says_deleting(provider: Provider) -> None:
    made = fixtures.new_machine(provider)
    answer = provider.wire.delete(provider.demand_operation(provider.read(made.url), "delete"))
    expect(answer.good, f"it was answered {answer.summary}")
    reading = provider.wire.get(made.url)
    provider.finish(answer)
    state = (reading.document or {}).get("state")
    expect(reading.status in (404, 410) or state == "DELETING", f"it was {state}")


@fixture
def from_volume_templates(provider: Provider) -> tuple[str, list[str]]:
    """Create a Machine with a Volume by value, and return its URI and those of its Volumes."""
    provider.demand_capability("Machine", "MachineVolumeTemplatesByValue")
    volumes = [{"name": provider.new_name("volume"), **fixtures.volume_template(provider)}]
    made = fixtures.new_machine(provider, volumeTemplates=volumes)
    listed = provider.items_at(str(provider.read(made.url)["volumes"]["href"]))
    used = [str(item["volume"]["href"]) for item in listed]
    for url in used:
        provider.note_created(url)
    return made.url, used


@check("machine-delete-keeps-volumes")
def machine_delete_keeps_volumes(provider: Provider) -> None:
    machine, used = from_volume_templates(provider)
    expect(used, "the Machine has no volumes")
    provider.delete(machine)
    for url in used:
        expect(provider.wire.get(url).status == 200, f"{url} went with the Machine")


# Templates and configurations


@check("machine-template-life")
def machine_template_life(provider: Provider) -> None:
    template = stored(provider)
    provider.edit(template, "MachineTemplate", {"description": "new"}, "description")
    expect(provider.read(str(template["id"])).get("description") == "new", "the edit did nothing")
    url = provider.collection("machineTemplates")
    other = provider.create(
        url, "MachineTemplate", {"name": provider.new_name("template"), **fixtures.template(provider)}
    )
    provider.delete(other.url)
    expect(provider.is_gone(other.url), "it can still be read after its delete")


@check("machine-template-deleted-leaves-machines")
def machine_template_deleted_leaves_machines(provider: Provider) -> None:
    machine = from_stored(provider)["id"]
    provider.delete(str(stored(provider)["id"]))
    expect(provider.wire.get(str(machine)).status == 200, f"{machine} went with its template")


@check("machine-user-data")
def machine_user_data(provider: Provider) -> None:
    if provider.capability("Machine", "UserData") is None:
        raise NotOffered("the capability Machine/UserData is not told")
    made = fixtures.new_machine(provider, userData="QmFzZS02NCBlbmNvZGVkIGRhdGE=")
    machine = provider.read(made.url)
    provider.delete(made.url)
    expect("userData" not in machine, "the Machine shows it")


@check("machine-user-data-not-base64")
def machine_user_data_not_base64(provider: Provider) -> None:
    content = {
        "name": provider.new_name("machine"),
        "machineTemplate": fixtures.template(provider, userData="no base64 at all!"),
    }
    answer = provider.add(provider.collection("machines"), "MachineCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("machine-configuration-life")
def machine_configuration_life(provider: Provider) -> None:
    url = provider.collection("machineConfigs")
    sizes = {"cpu": 3, "memory": 2 * fixtures.MEMORY}
    made = provider.create(url, "MachineConfiguration", {"name": provider.new_name("config"), **sizes})
    configuration = provider.read(made.url)
    expect(
        {name: configuration.get(name) for name in sizes} == sizes,
        f"cpu {configuration.get('cpu')}, memory {configuration.get('memory')}",
    )
    provider.edit(configuration, "MachineConfiguration", {"cpu": 4}, "cpu")
    expect(provider.read(made.url).get("cpu") == 4, "the edit did nothing")
    provider.delete(made.url)
    expect(provider.is_gone(made.url), "it can still be read after its delete")
