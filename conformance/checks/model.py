"""Properties, unknown attributes, common attributes, references."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider
from conformance.registry import check
from conformance.wire import Document, kind_of

STRANGE = "<two> & \"one\" 'ö' ]]> \u4e2d"


@check("properties-are-kept")
def properties_are_kept(provider: Provider) -> None:
    given = {"a key": "a value", "UPPER": "x", "upper": "y", STRANGE: STRANGE, "number": "007"}
    properties = fixtures.cheap_resource(provider, properties=given).get("properties")
    expect(properties == given, f"they came back as {properties}")


@check("properties-are-the-consumers")
def properties_are_the_consumers(provider: Provider) -> None:
    expect(
        "properties" not in fixtures.cheap_resource(provider), "a resource that was made without properties has some"
    )
    properties = fixtures.machine(provider).get("properties")
    expect(properties == {"mark": provider.mark}, f"those of a Machine are {properties}")


@check("identifiers-mind-their-case")
def identifiers_mind_their_case(provider: Provider) -> None:
    names = provider.read(str(fixtures.cheap_resource(provider)["id"]), ("$select", "NAME,Id"))
    expect(not {"name", "id"} & set(names), "$select=NAME,Id selected name or id")


def _refused(provider: Provider, entry: str, kind: str, content: Document) -> None:
    url = provider.collection(entry)
    before = provider.read(url).get("count")
    answer = provider.add(url, kind, content)
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")
    after = provider.read(url).get("count")
    expect(before == after, "and something was made")


@check("unknown-attribute-in-a-create")
def unknown_attribute_in_a_create(provider: Provider) -> None:
    content = {"name": provider.new_name("x"), "cpu": 1, "memory": fixtures.MEMORY, "nonsense": "1"}
    _refused(provider, "machineConfigs", "MachineConfiguration", content)


@check("unknown-attribute-in-a-template")
def unknown_attribute_in_a_template(provider: Provider) -> None:
    template = {"userName": "x", "password": "a-password-for-checks", "nonsense": "1"}
    _refused(
        provider, "credentials", "CredentialCreate", {"name": provider.new_name("x"), "credentialTemplate": template}
    )


@check("unknown-attribute-in-an-update")
def unknown_attribute_in_an_update(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    answer = provider.wire.put(
        provider.demand_operation(resource, "edit"), kind_of(resource), {**resource, "name": "new", "nonsense": "1"}
    )
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")
    name = provider.read(str(resource["id"])).get("name")
    expect(name == resource["name"], f"and name is {name}")


@check("wrong-case-is-unknown")
def wrong_case_is_unknown(provider: Provider) -> None:
    content = {"name": provider.new_name("x"), "CPU": 1, "memory": fixtures.MEMORY}
    _refused(provider, "machineConfigs", "MachineConfiguration", content)


@check("array-keeps-its-order")
def array_keeps_its_order(provider: Provider) -> None:
    disks = [{"capacity": size, "format": "ext4"} for size in (3000, 1000, 2000)]
    url = provider.collection("machineConfigs")
    content = {"name": provider.new_name("disks"), "cpu": 1, "memory": fixtures.MEMORY, "disks": disks}
    made = provider.read(provider.create(url, "MachineConfiguration", content).url)
    sizes = [disk.get("capacity") for disk in made.get("disks", [])]
    expect(sizes == [3000, 1000, 2000], f"disks of 3000, 1000 and 2000 came back as {sizes}")


@check("common-name-and-description")
def common_name_and_description(provider: Provider) -> None:
    name = f"{provider.mark} {STRANGE}"
    resource = fixtures.cheap_resource(provider, name=name, description=STRANGE)
    expect(resource.get("name") == name, f"the name came back as {resource.get('name')}")
    expect(resource.get("description") == STRANGE, f"the description came back as {resource.get('description')}")


def _edited(provider: Provider, resource: Document) -> Document:
    provider.edit(resource, kind_of(resource), {"name": "new"}, "name")
    return provider.read(str(resource["id"]))


@check("common-created")
def common_created(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    expect(resource.get("created"), "there is no created")
    expect(_edited(provider, resource).get("created") == resource["created"], "an update changed it")


@check("common-updated-at-first")
def common_updated_at_first(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    expect(resource.get("updated"), "there is no updated")
    expect(
        resource["updated"] == resource.get("created"),
        f"created {resource.get('created')}, updated {resource['updated']}",
    )


@check("common-updated-by-an-update")
def common_updated_by_an_update(provider: Provider) -> None:
    resource = fixtures.cheap_resource(provider)
    after = _edited(provider, resource)
    expect(str(after.get("updated")) > str(resource.get("updated")), f"it stayed {after.get('updated')}")


@check("common-updated-not-by-an-action")
def common_updated_not_by_an_action(provider: Provider) -> None:
    network = fixtures.network(provider)
    if not network.get("updated"):
        raise NotOffered("Networks have no updated")
    verb = "stop" if provider.operation(network, "stop") else "start"
    after = provider.perform(str(network["id"]), verb)
    expect(after["updated"] == network["updated"], f"{verb} changed it from {network['updated']} to {after['updated']}")


@check("state-is-read-only")
def state_is_read_only(provider: Provider) -> None:
    resource = fixtures.volume(provider) if provider.offers("volumes") else fixtures.machine(provider)
    edit = provider.demand_operation(resource, "edit")
    answer = provider.wire.put(edit, kind_of(resource), {"state": "ERROR"}, ("$select", "state"))
    expect(answer.good, f"an update of state was answered {answer.summary}")
    provider.finish(answer)
    state = provider.read(str(resource["id"])).get("state")
    expect(state == resource.get("state"), f"state is {state}")


def _pair(provider: Provider) -> tuple[Document, Document]:
    """Create a VolumeTemplate, and the VolumeConfiguration that it refers to."""
    content = {"type": f"{words.NAMESPACE}/mapped", "capacity": fixtures.CAPACITY}
    config = provider.new_resource("volumeConfigs", "VolumeConfiguration", content)
    template = provider.new_resource("volumeTemplates", "VolumeTemplate", {"volumeConfig": {"href": config["id"]}})
    return template, config


@check("deletion-empties-references")
def deletion_empties_references(provider: Provider) -> None:
    template, config = _pair(provider)
    expect((template.get("volumeConfig") or {}).get("href") == config["id"], "the template does not refer to it")
    provider.delete(str(config["id"]))
    left = provider.read(str(template["id"])).get("volumeConfig")
    expect(left is None, f"volumeConfig is {left}")


@check("deletion-leaves-the-referring")
def deletion_leaves_the_referring(provider: Provider) -> None:
    template, config = _pair(provider)
    provider.delete(str(config["id"]))
    expect(provider.wire.get(str(template["id"])).status == 200, f"{template['id']} is gone")


@check("limits-are-told")
def limits_are_told(provider: Provider) -> None:
    url = provider.demand_operation(provider.read(provider.collection("machineConfigs"), ("$last", "1")), "add")
    content = {"name": provider.new_name("x"), "cpu": 1, "memory": fixtures.MEMORY, "description": "x" * 3_000_000}
    answer = provider.wire.post(url, "MachineConfiguration", content)
    if answer.good:
        provider.note_created(str(answer.location or (answer.document or {}).get("id")))
        raise NotOffered("a body of 3 MB is within the limits")
    expect(400 <= answer.status < 500, f"a body of 3 MB was answered {answer.summary}")
